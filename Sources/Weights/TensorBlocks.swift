/// One pass over the elements of a tensor in blocks, in memory that does not grow with the tensor, unless it is a view
/// that has to be gathered.
package struct TensorBlocks<Scalar: WeightScalar>: ~Copyable {
  let entry: TensorEntry
  private let file: PositionedFile
  private let format: FloatFormat
  private let length: Int
  private var position: Int
  /// The values of the current block; allocated by the first call of `next`.
  private var values: UnsafeMutableBufferPointer<Scalar>?
  /// The block as it is in the file, where it has to be converted.
  private let bytes: UnsafeMutableRawBufferPointer?
  /// All of a view that is not in row-major order in the file.
  private let gathered: [UInt8]?

  /// Half a mebibyte of Float64: large enough for the system call not to matter, small enough to stay in the cache.
  package static var defaultLength: Int { 1 << 16 }

  init(_ source: TensorFile, _ name: String, length: Int = defaultLength) throws(FileError) {
    precondition(length > 0)
    let entry = try source.entry(name)
    let format = try source.format(of: entry)
    let length = min(length, max(entry.elementCount, 1))
    let gathered = entry.strides == nil ? nil : try source.gather(entry)
    let isConverted = gathered == nil && (format != Scalar.format || !isLittleEndian)
    self.entry = entry
    self.format = format
    self.length = length
    self.gathered = gathered
    file = source.file
    position = 0
    values = nil
    bytes = isConverted ? .allocate(byteCount: length * format.bytes, alignment: 16) : nil
  }

  deinit {
    values?.deallocate()
    bytes?.deallocate()
  }

  /// The next block and the index of its first element, or nil at the end; valid until the next call.
  mutating func next() throws(FileError) -> (UnsafeBufferPointer<Scalar>, offset: Int)? {
    guard let range = nextRange() else { return nil }
    let buffer = values ?? .allocate(capacity: length)
    values = buffer
    let block = UnsafeMutableBufferPointer(rebasing: buffer[..<range.count])
    try load(range, into: block)
    return (UnsafeBufferPointer(block), range.lowerBound)
  }

  /// The elements of the next block, or nil at the end.
  mutating func nextRange() -> Range<Int>? {
    guard position < entry.elementCount else { return nil }
    let range = position..<min(position + length, entry.elementCount)
    position = range.upperBound
    return range
  }

  /// Reads the elements of `range`, at most a block of them.
  func load(_ range: Range<Int>, into target: UnsafeMutableBufferPointer<Scalar>) throws(FileError) {
    let offset = entry.byteRange.lowerBound + range.lowerBound * format.bytes
    if let gathered {
      gathered.withUnsafeBytes { all in
        let block = all[range.lowerBound * format.bytes..<range.upperBound * format.bytes]
        Scalar.decode(UnsafeRawBufferPointer(rebasing: block), of: format, into: target)
      }
    } else if let bytes {
      let block = UnsafeMutableRawBufferPointer(rebasing: bytes[..<(range.count * format.bytes)])
      try file.read(into: block, at: offset)
      Scalar.decode(UnsafeRawBufferPointer(block), of: format, into: target)
    } else {
      try file.read(into: UnsafeMutableRawBufferPointer(target), at: offset)
    }
  }
}

extension TensorFile {
  func format(of entry: TensorEntry) throws(FileError) -> FloatFormat {
    if let format = entry.elementType.format { return format }
    let known = FloatFormat.allCases.map(\.rawValue).joined(separator: ", ")
    throw FileError(
      .badContent, path: path, object: entry.object,
      "expected one of \(known), found \(FileError.quoted(entry.elementType.rawValue)), which cannot be read",
      remedy: "Save the model in one of those types")
  }
}

/// Whether this processor's numbers are laid out as in the file.
private var isLittleEndian: Bool { UInt16(1).littleEndian == 1 }
