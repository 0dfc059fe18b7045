import OrderedCollections

/// The header of a safetensors file, parsed from bytes that nobody vouches for.
struct SafetensorsHeader {
  let tensors: OrderedDictionary<String, TensorEntry>
  let metadata: OrderedDictionary<String, String>

  /// The header that the format's own library accepts at most.
  static let maximumLength = 100_000_000
  /// The bytes in front of the header: its length.
  static let prefixLength = 8

  /// Parses and checks the JSON text of a header: every tensor's range is inside the `dataSize` bytes that follow the
  /// header, agrees with its shape and type, and the ranges cover the data without overlap, hole or rest.
  init(bytes: [UInt8], dataSize: Int, path: String) throws(FileError) {
    let members = try Self.parse(bytes, path: path)
    var tensors = OrderedDictionary<String, TensorEntry>(minimumCapacity: members.count)
    var metadata = OrderedDictionary<String, String>()
    let dataStart = Self.prefixLength + bytes.count
    for (name, value) in members {
      if name == "__metadata__" {
        metadata = try Self.metadata(value, path: path)
      } else {
        let parser = EntryParser(path: path, name: name, dataStart: dataStart, dataSize: dataSize)
        tensors[name] = try parser.entry(value)
      }
    }
    try Self.checkCoverage(tensors.values.elements, of: dataStart..<dataStart + dataSize, path: path)
    self.tensors = tensors
    self.metadata = metadata
  }

  private static func parse(_ bytes: [UInt8], path: String) throws(FileError) -> OrderedDictionary<String, JSONValue> {
    let header: JSONValue
    do throws(JSONError) {
      header = try JSONValue(parsing: bytes, rejectingDuplicateKeys: true)
    } catch {
      throw FileError(.badContent, path: path, object: "header", error.description)
    }
    guard let members = header.object else {
      throw FileError(.badContent, path: path, object: "header", "expected a JSON object")
    }
    return members
  }

  private static func metadata(
    _ value: JSONValue, path: String
  ) throws(FileError) -> OrderedDictionary<String, String> {
    let object = "__metadata__"
    // As MLX writes where it has none to give.
    if value.isNull { return [:] }
    guard let members = value.object else {
      throw FileError(.badContent, path: path, object: object, "expected a JSON object of strings")
    }
    var metadata = OrderedDictionary<String, String>(minimumCapacity: members.count)
    for (key, value) in members {
      guard let text = value.string else {
        throw FileError(
          .badContent, path: path, object: object, "expected a string for \(FileError.quoted(key)), found another type")
      }
      metadata[key] = text
    }
    return metadata
  }

  private static func checkCoverage(
    _ tensors: [TensorEntry], of data: Range<Int>, path: String
  ) throws(FileError) {
    var previous: TensorEntry?
    var end = data.lowerBound
    for tensor in tensors.sorted(by: { isBefore($0.byteRange, $1.byteRange) }) {
      let start = tensor.byteRange.lowerBound
      guard start == end else {
        let before = previous.map { "after \(FileError.quoted($0.name))" } ?? "at the beginning of the data"
        let found =
          start < end
          ? "an overlap of \(end - start) bytes with \(FileError.quoted(previous?.name ?? ""))"
          : "a hole of \(start - end) bytes \(before)"
        throw FileError(
          .badContent, path: path, object: tensor.object, "expected data without gaps and overlaps, found \(found)")
      }
      end = tensor.byteRange.upperBound
      previous = tensor
    }
    guard end == data.upperBound else {
      throw FileError(
        .badContent, path: path,
        "expected the file to end after the last tensor, found \(data.upperBound - end) more bytes")
    }
  }
}

private func isBefore(_ first: Range<Int>, _ second: Range<Int>) -> Bool {
  (first.lowerBound, first.upperBound) < (second.lowerBound, second.upperBound)
}

/// Parses the header's entry of one tensor.
private struct EntryParser {
  let path: String
  let name: String
  let dataStart: Int
  let dataSize: Int

  func entry(_ value: JSONValue) throws(FileError) -> TensorEntry {
    guard case .object = value else { throw failure("expected a JSON object") }
    let elementType = try elementType(value["dtype"])
    let shape = try shape(value["shape"])
    let range = try dataRange(value["data_offsets"])
    try checkSize(range.count, elementType, shape)
    return TensorEntry(
      name: name, elementType: elementType, shape: shape,
      byteRange: dataStart + range.lowerBound..<dataStart + range.upperBound)
  }

  private func elementType(_ value: JSONValue?) throws(FileError) -> ElementType {
    guard let value else { throw failure("expected a dtype, found none") }
    guard let name = value.string else { throw failure("expected dtype to be a string, found \(value.text())") }
    return ElementType(rawValue: name)
  }

  private func shape(_ value: JSONValue?) throws(FileError) -> [Int] {
    guard let value else { throw failure("expected a shape, found none") }
    guard let shape = sizes(value) else {
      throw failure("expected shape to be a list of non-negative integers, found \(excerpt(value))")
    }
    return shape
  }

  private func dataRange(_ value: JSONValue?) throws(FileError) -> Range<Int> {
    guard let value else { throw failure("expected data_offsets, found none") }
    guard let offsets = sizes(value), offsets.count == 2 else {
      throw failure("expected data_offsets to be two non-negative integers, found \(excerpt(value))")
    }
    guard offsets[0] <= offsets[1] else {
      throw failure("expected data_offsets in ascending order, found \(excerpt(value))")
    }
    guard offsets[1] <= dataSize else {
      throw failure(
        "expected \(offsets[1]) bytes of data, found \(dataSize)",
        remedy: "Wait if the file is still being written, else copy or download it again")
    }
    return offsets[0]..<offsets[1]
  }

  /// Holds the range against the shape; a type of unknown width only has to be inside the file.
  private func checkSize(_ size: Int, _ elementType: ElementType, _ shape: [Int]) throws(FileError) {
    var count = 1
    for length in shape + [elementType.bits ?? 1] {
      let (product, overflow) = count.multipliedReportingOverflow(by: length)
      guard !overflow else { throw failure("expected a size that fits 64 bits, found shape \(shape)") }
      count = product
    }
    guard elementType.bits != nil else { return }
    guard count.isMultiple(of: 8), count / 8 == size else {
      let bytes = count.isMultiple(of: 8) ? "\(count / 8) bytes" : "a whole number of bytes"
      throw failure("expected \(bytes) for \(elementType) of shape \(shape), found \(size) bytes")
    }
  }

  private func sizes(_ value: JSONValue) -> [Int]? {
    guard let elements = value.array else { return nil }
    var sizes: [Int] = []
    for element in elements {
      guard case .integer(let size) = element, size >= 0 else { return nil }
      sizes.append(size)
    }
    return sizes
  }

  private func excerpt(_ value: JSONValue) -> String {
    let text = value.text()
    return text.count <= 80 ? text : text.prefix(80) + "…"
  }

  private func failure(_ problem: String, remedy: String = "") -> FileError {
    FileError(.badContent, path: path, object: "tensor " + FileError.quoted(name), problem, remedy: remedy)
  }
}
