/// The checksum CRC-32C (Castagnoli), by which TensorBoard's event files are checked.
enum CRC32C {
  /// The remainder of each byte, by the reflected polynomial 0x82F63B78.
  private static let table: [UInt32] = (0..<256).map { byte in
    (0..<8).reduce(UInt32(byte)) { value, _ in value & 1 == 1 ? value >> 1 ^ 0x82F6_3B78 : value >> 1 }
  }

  static func checksum(_ bytes: ArraySlice<UInt8>) -> UInt32 {
    ~bytes.reduce(~0) { $0 >> 8 ^ table[Int(UInt8(truncatingIfNeeded: $0) ^ $1)] }
  }

  /// The checksum as it is stored beside data that may hold checksums itself: turned by 15 bits, plus a constant.
  static func masked(_ bytes: ArraySlice<UInt8>) -> UInt32 {
    let value = checksum(bytes)
    return (value >> 15 | value << 17) &+ 0xA282_EAD8
  }
}

extension Collection<UInt8> {
  /// The number that bytes in little-endian order are; at most eight.
  var littleEndian: UInt64 {
    reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }
}
