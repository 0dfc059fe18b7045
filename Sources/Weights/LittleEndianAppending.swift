extension [UInt8] {
  /// Appends the bytes of an integer, the least first.
  @inlinable
  package mutating func append(littleEndian value: some FixedWidthInteger) {
    Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
  }

  /// Appends the bytes of numbers one after the other, each with its least byte first.
  package mutating func append(littleEndian values: [Double]) {
    values.map(\.bitPattern.littleEndian).withUnsafeBytes { append(contentsOf: $0) }
  }

  /// Appends the bytes of integers one after the other, each with its least byte first.
  package mutating func append(littleEndian values: [Int64]) {
    values.map(\.littleEndian).withUnsafeBytes { append(contentsOf: $0) }
  }
}
