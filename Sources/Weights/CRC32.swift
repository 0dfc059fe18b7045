/// The cyclic redundancy checks of 32 bits that file formats use, by their reflected polynomials.
package struct CRC32: Sendable {
  /// That of zip.
  package static let ieee = CRC32(polynomial: 0xEDB8_8320)
  /// That of TensorBoard's event files, called CRC-32C.
  package static let castagnoli = CRC32(polynomial: 0x82F6_3B78)

  /// The remainder of each byte.
  private let table: [UInt32]

  private init(polynomial: UInt32) {
    table = (0..<256).map { byte in
      (0..<8).reduce(UInt32(byte)) { value, _ in value & 1 == 1 ? value >> 1 ^ polynomial : value >> 1 }
    }
  }

  /// The check of some bytes.
  package func checksum(_ bytes: ArraySlice<UInt8>) -> UInt32 {
    ~bytes.reduce(~0) { $0 >> 8 ^ table[Int(UInt8(truncatingIfNeeded: $0) ^ $1)] }
  }
}
