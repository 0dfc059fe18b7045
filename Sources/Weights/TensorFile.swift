import OrderedCollections

/// A file of tensors, open for reading: safetensors, or a zip archive as `torch.save` writes. Opening it reads and checks
/// what says where the tensors are; the tensors are read on demand, from several threads at once if need be.
package struct TensorFile: Sendable {
  /// The tensors in the order of the file.
  package let tensors: OrderedDictionary<String, TensorEntry>
  /// The `__metadata__` of safetensors; empty where there is none.
  package let metadata: OrderedDictionary<String, String>
  /// The file behind it, with its identity.
  package let file: PositionedFile

  /// The path that was opened.
  package var path: String { file.path }

  /// Opens a file, whatever its name; throws `.badContent` for every way in which its header or directory can contradict
  /// itself or the file, and names the other formats that are met under this name. Nothing in a pickle is executed.
  package init(path: String) throws(FileError) {
    file = try PositionedFile(path: path)
    if try Self.isZipArchive(file) {
      tensors = try TorchArchive(of: file).tensors
      metadata = [:]
      return
    }
    let length = try Self.headerLength(of: file)
    let bytes = try file.read(length, at: SafetensorsHeader.prefixLength)
    let dataSize = file.size - SafetensorsHeader.prefixLength - length
    let header = try SafetensorsHeader(bytes: bytes, dataSize: dataSize, path: path)
    tensors = header.tensors
    metadata = header.metadata
  }

  /// The tensor of that name; throws `.badContent` where there is none.
  package func entry(_ name: String) throws(FileError) -> TensorEntry {
    guard let entry = tensors[name] else {
      throw FileError(
        .badContent, path: path, object: "tensor " + FileError.quoted(name),
        "expected a tensor of this name, found none among \(tensors.count)")
    }
    return entry
  }
}

// MARK: - Opening

extension TensorFile {
  /// Whether a file begins as a zip archive does. The length of a safetensors header may look like that by chance, but
  /// then the header follows.
  private static func isZipArchive(_ file: PositionedFile) throws(FileError) -> Bool {
    let prefix = try file.read(min(file.size, SafetensorsHeader.prefixLength + 1), at: 0)
    return ForeignFormat(prefix: prefix) == .zipArchive && prefix.last != UInt8(ascii: "{")
  }

  private static func headerLength(of file: PositionedFile) throws(FileError) -> Int {
    let prefix = try file.read(min(file.size, ForeignFormat.prefixLength), at: 0)
    let prefixLength = SafetensorsHeader.prefixLength
    guard file.size >= prefixLength else {
      throw notSafetensors(
        prefix, file.path, "expected a safetensors file of at least \(prefixLength) bytes, found \(file.size)")
    }
    let length = prefix[..<prefixLength].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    let limit = SafetensorsHeader.maximumLength
    guard length > 0, length <= limit else {
      throw notSafetensors(
        prefix, file.path, "expected a header length between 1 and \(limit) bytes, found \(length)")
    }
    guard length <= file.size - prefixLength else {
      throw notSafetensors(
        prefix, file.path, "expected a header of \(length) bytes, found \(file.size - prefixLength)")
    }
    guard prefix[prefixLength] == UInt8(ascii: "{") else {
      throw notSafetensors(
        prefix, file.path, "expected the header to begin with '{', found byte \(prefix[prefixLength])")
    }
    return Int(length)
  }

  private static func notSafetensors(_ prefix: [UInt8], _ path: String, _ problem: String) -> FileError {
    if let foreign = ForeignFormat(prefix: prefix) {
      return foreign.error(path: path, expected: "a safetensors file")
    }
    return FileError(
      .badContent, path: path, object: "header", problem,
      remedy: "Wait if the file is still being written, else copy or download it again")
  }
}

// MARK: - Reading

extension TensorFile {
  /// All elements of a tensor in row-major order, converted to `type`. `F64` read as `Float` is rounded.
  ///
  /// Throws `.badContent` for an unknown name and for an element type that cannot be read.
  package func read<Scalar: WeightScalar>(_ name: String, as type: Scalar.Type) throws(FileError) -> [Scalar] {
    var blocks = try TensorBlocks<Scalar>(self, name)
    let count = blocks.entry.elementCount
    return try [Scalar](unsafeUninitializedCapacity: count) { (buffer, initializedCount) throws(FileError) in
      while let range = blocks.nextRange() {
        try blocks.load(range, into: UnsafeMutableBufferPointer(rebasing: buffer[range]))
      }
      initializedCount = count
    }
  }

  /// `read`, which also throws `.badContent` when a value is NaN or infinite, in the file or after the conversion.
  package func readFinite<Scalar: WeightScalar>(_ name: String, as type: Scalar.Type) throws(FileError) -> [Scalar] {
    let values = try read(name, as: type)
    var found = NonFiniteCount(total: values.count)
    values.withUnsafeBufferPointer { found.add($0, from: 0) }
    if let error = found.error(path: path, name: name) { throw error }
    return values
  }

  /// Passes a tensor to `body` in blocks of at most `elements` values in row-major order, each with the index of its
  /// first value, so that memory stays bounded. The buffer is valid during the call only.
  package func forEachBlock(
    of name: String, elements: Int = TensorBlocks<Double>.defaultLength,
    body: (UnsafeBufferPointer<Double>, _ offset: Int) throws -> Void
  ) throws {
    var blocks = try TensorBlocks<Double>(self, name, length: elements)
    while let (values, offset) = try blocks.next() { try body(values, offset) }
  }

  /// The bytes of a tensor of any element type, as they are in the file, in row-major order.
  package func readBytes(_ name: String) throws(FileError) -> [UInt8] {
    let entry = try entry(name)
    if entry.strides != nil { return try gather(entry) }
    return try file.read(entry.byteRange.count, at: entry.byteRange.lowerBound)
  }

  /// Passes the bytes of a tensor of any element type to `body` in blocks of at most `bytes`, for hashing and copying.
  /// The buffer is valid during the call only.
  package func forEachByteBlock(
    of name: String, bytes: Int = 1 << 20, body: (UnsafeRawBufferPointer) throws -> Void
  ) throws {
    precondition(bytes > 0)
    let entry = try entry(name)
    let gathered = entry.strides == nil ? nil : try gather(entry)
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: min(bytes, entry.byteCount), alignment: 16)
    defer { buffer.deallocate() }
    for start in stride(from: 0, to: entry.byteCount, by: bytes) {
      let range = start..<min(start + bytes, entry.byteCount)
      let block = UnsafeMutableRawBufferPointer(rebasing: buffer[..<range.count])
      if let gathered {
        block.copyBytes(from: gathered[range])
      } else {
        try file.read(into: block, at: entry.byteRange.lowerBound + start)
      }
      try body(UnsafeRawBufferPointer(block))
    }
  }
}
