/// One tensor of a file.
package struct TensorEntry: Equatable, Sendable {
  /// The name in the file, as it is; torch's nested dictionaries joined by dots.
  package let name: String
  /// The type of the elements, by its safetensors name.
  package let elementType: ElementType
  /// The lengths of the axes; empty for a scalar.
  package let shape: [Int]
  /// Where its bytes are in the file, from the first element to the last.
  package let byteRange: Range<Int>
  /// How many elements lie between neighbours along each axis, where that is not row-major order without holes: torch
  /// saves views, such as a transposed matrix, together with what they are a view of. Nil everywhere else.
  package let strides: [Int]?
  /// What this is one rank's share of; nil for a whole tensor.
  package let piece: TensorPiece?

  init(
    name: String, elementType: ElementType, shape: [Int], byteRange: Range<Int>, strides: [Int]? = nil,
    piece: TensorPiece? = nil
  ) {
    self.name = name
    self.elementType = elementType
    self.shape = shape
    self.byteRange = byteRange
    self.strides = strides
    self.piece = piece
  }

  /// The product of the shape.
  package var elementCount: Int { shape.reduce(1, *) }

  /// The bytes of all elements, without the holes between those of a view.
  package var byteCount: Int {
    guard strides != nil, let bits = elementType.bits else { return byteRange.count }
    return elementCount * bits / 8
  }

  /// The tensor as the object of an error message.
  var object: String { "tensor " + FileError.quoted(name) }
}

/// How a rank's share of a tensor fits into the whole, as PyTorch's FSDP records it.
package struct TensorPiece: Equatable, Sendable {
  /// Where the share lies.
  package enum Placement: Equatable, Sendable {
    /// Every rank has all of it.
    case replicated
    /// A `DTensor` cut along `axis` over one axis of a grid of ranks; over the grid's other axes it is replicated.
    case sharded(axis: Int, mesh: [Int], meshAxis: Int)
    /// A `ShardedTensor` of FSDP 1 that begins at these indices.
    case at([Int])
  }

  /// The lengths of the axes of the whole tensor.
  package let wholeShape: [Int]
  /// Where in it the share lies.
  package let placement: Placement

  /// Whether the share is all there is.
  package var isWhole: Bool { placement == .replicated }
}
