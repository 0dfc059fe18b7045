/// Puts safetensors files together without checking anything, so that a test can make any lie.
package enum RawSafetensors {
  /// The bytes of a file: the length of the header, or `declaredLength` in its place, the header, and the data.
  package static func bytes(header: [UInt8], data: [UInt8] = [], declaredLength: UInt64? = nil) -> [UInt8] {
    let length = declaredLength ?? UInt64(header.count)
    return (0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) } + header + data
  }

  /// The bytes of a file with the header given as text and `dataSize` bytes of zeros.
  package static func bytes(header: String, dataSize: Int = 0, declaredLength: UInt64? = nil) -> [UInt8] {
    bytes(
      header: [UInt8](header.utf8), data: [UInt8](repeating: 0, count: dataSize), declaredLength: declaredLength)
  }
}
