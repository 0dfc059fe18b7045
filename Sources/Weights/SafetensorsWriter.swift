import OrderedCollections

/// Collects tensors and writes them to one safetensors file.
///
/// The header lists the tensors in the order in which they were added. Their bytes are laid out by falling element
/// width, so that each one is aligned to its own type, which readers that map the file rely on.
package struct SafetensorsWriter {
  /// The header's `__metadata__`; left out when empty. `transformers` wants `format` = `pt` here.
  package var metadata: OrderedDictionary<String, String>
  private var tensors = OrderedDictionary<String, Tensor>()

  private struct Tensor {
    let type: ElementType
    let shape: [Int]
    let bytes: [UInt8]
  }

  /// A writer without tensors.
  package init(metadata: OrderedDictionary<String, String> = ["format": "pt"]) { self.metadata = metadata }

  /// Adds a tensor given in row-major order, rounded once to `format` (nearest, ties to even).
  ///
  /// The name must be new, and the shape's product must be the number of values.
  package mutating func add<Scalar: WeightScalar>(
    _ name: String, shape: [Int], _ values: [Scalar], as format: FloatFormat = Scalar.format
  ) {
    let size = values.count * format.bytes
    let bytes = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
      let target = UnsafeMutableRawBufferPointer(UnsafeMutableBufferPointer(rebasing: buffer[..<size]))
      values.withUnsafeBufferPointer { Scalar.encode($0, as: format, into: target) }
      count = size
    }
    precondition(shape.reduce(1, *) == values.count, "The shape does not fit the values of \(name).")
    add(name, shape: shape, type: ElementType(format), bytes: bytes)
  }

  /// Adds a tensor of any element type as its bytes. The name must be new; the bytes must fit the shape where the
  /// width of the type is known.
  package mutating func add(_ name: String, shape: [Int], type: ElementType, bytes: [UInt8]) {
    precondition(name != "__metadata__" && tensors[name] == nil, "There already is a tensor \(name).")
    precondition(
      type.bits.map { shape.reduce($0, *) == 8 * bytes.count } ?? true, "The shape does not fit the bytes of \(name).")
    tensors[name] = Tensor(type: type, shape: shape, bytes: bytes)
  }

  /// Writes the file whole: under a temporary name, brought to the disk, renamed. Throws `.cannotCreate` and
  /// `.cannotWrite`.
  package func write(to path: String) throws(FileError) {
    let stored = tensors.elements.enumerated()
      .sorted { (-($0.element.value.type.bits ?? 0), $0.offset) < (-($1.element.value.type.bits ?? 0), $1.offset) }
      .map(\.element)
    var file = PendingFile(for: path)
    try file.write([header(stored)] + stored.map(\.value.bytes))
    try file.commit()
  }

  /// The length and the JSON text, padded with spaces to a multiple of eight bytes.
  private func header(_ stored: [(key: String, value: Tensor)]) -> [UInt8] {
    var offset = 0
    var offsets: [String: JSONValue] = [:]
    for (name, tensor) in stored {
      offsets[name] = [.integer(offset), .integer(offset + tensor.bytes.count)]
      offset += tensor.bytes.count
    }
    var members = OrderedDictionary<String, JSONValue>()
    if !metadata.isEmpty { members["__metadata__"] = .object(metadata.mapValues { .string($0) }) }
    for (name, tensor) in tensors {
      members[name] = [
        "dtype": .string(tensor.type.rawValue), "shape": .array(tensor.shape.map { .integer($0) }),
        "data_offsets": offsets[name] ?? .null,
      ]
    }
    var text = [UInt8](JSONValue.object(members).text().utf8)
    text += [UInt8](repeating: UInt8(ascii: " "), count: (8 - text.count % 8) % 8)
    return withUnsafeBytes(of: UInt64(text.count).littleEndian) { [UInt8]($0) } + text
  }
}
