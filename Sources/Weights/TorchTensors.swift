/// From what a pickle says about a tensor to where its elements are in the file.
struct TorchTensors {
  let path: String
  let graph: PickleGraph
  let storages: TorchStorages

  /// A parameter in a parameter in a parameter is nothing that torch writes.
  private static let maximumWrappers = 4

  /// Whether a value stands for a tensor, plain, distributed or a parameter.
  static func isTensor(_ value: PickleGraph.Value, in graph: PickleGraph) -> Bool {
    guard let function = graph.object(value)?.function else { return false }
    return PickleGlobals.rebuildTensor.contains(function) || PickleGlobals.rebuildParameter.contains(function)
      || function == PickleGlobals.rebuildFromType
  }

  /// The tensor that a value stands for; throws `.badContent` where it does not fit the file.
  func entry(_ name: String, _ value: PickleGraph.Value) throws(FileError) -> TensorEntry {
    var value = value
    for _ in 0..<Self.maximumWrappers {
      guard let (function, arguments, _) = graph.object(value), let first = arguments.first else { break }
      if PickleGlobals.rebuildTensor.contains(function) { return try plain(name, arguments) }
      if PickleGlobals.rebuildParameter.contains(function) {
        value = first
        continue
      }
      // (function, type, arguments, state)
      guard function == PickleGlobals.rebuildFromType, arguments.count == 4, let inner = graph.elements(arguments[2])
      else { break }
      let innerFunction = graph.global(first) ?? ""
      if PickleGlobals.rebuildTensor.contains(innerFunction) { return try plain(name, inner) }
      guard innerFunction == PickleGlobals.rebuildSubclass else { break }
      return try distributed(name, type: graph.global(arguments[1]) ?? "", inner, state: arguments[3])
    }
    throw failure(name, "expected a tensor, found an object of another form")
  }

  func failure(_ name: String, _ problem: String) -> FileError {
    FileError(
      .badContent, path: path, object: "tensor " + FileError.quoted(name), problem,
      remedy: "Copy or download it again, or save it again as safetensors")
  }
}

// MARK: - Plain tensors

extension TorchTensors {
  /// A tensor from the arguments (storage, offset, shape, strides, …) of torch's function.
  private func plain(_ name: String, _ arguments: [PickleGraph.Value]) throws(FileError) -> TensorEntry {
    guard arguments.count >= 4, let offset = arguments[1].integer, let shape = graph.integers(arguments[2]),
      let strides = graph.integers(arguments[3]), shape.count == strides.count
    else { throw failure(name, "expected storage, offset, shape and strides, found something else") }
    // Flags that change the values: torch keeps a negated or conjugated view as a flag.
    let flags = ["neg", "conj"].compactMap { graph.attribute($0, of: arguments[arguments.count - 1]) }
    guard flags.isEmpty else {
      throw failure(name, "expected plain values, found a view that negates or conjugates them")
    }
    let storage = try storage(name, arguments)
    guard offset >= 0, shape.allSatisfy({ $0 >= 0 }), strides.allSatisfy({ $0 >= 0 }) else {
      throw failure(
        name, "expected offset, shape and strides without negative numbers, found \(offset), \(shape) and \(strides)")
    }
    let layout = try span(name, shape, strides, offset: offset, of: storage)
    let isRowMajor = TorchTensors.isRowMajor(shape, strides)
    let start = storage.range.lowerBound
    return TensorEntry(
      name: name, elementType: storage.type, shape: shape,
      byteRange: start + layout.lowerBound * storage.width..<start + layout.upperBound * storage.width,
      strides: isRowMajor ? nil : strides)
  }

  private typealias Storage = (type: ElementType, width: Int, range: Range<Int>)

  /// The storage that ('storage', type, key, place, length) names, its elements by its class or, for plain bytes, by an
  /// argument.
  private func storage(_ name: String, _ arguments: [PickleGraph.Value]) throws(FileError) -> Storage {
    guard case .persistent(let id) = graph.node(arguments[0]), let parts = graph.elements(id), parts.count >= 5,
      parts[0].string == "storage", let kind = graph.global(parts[1]), let key = parts[2].string,
      let length = parts[4].integer
    else { throw failure(name, "expected a storage, found something else") }
    let isUntyped = kind == PickleGlobals.untypedStorage
    let named = arguments.prefix(8).lazy.compactMap { graph.global($0) }.compactMap { PickleGlobals.elementTypes[$0] }
      .first
    guard let type = isUntyped ? named : PickleGlobals.storages[kind], let bits = type.bits else {
      throw failure(name, "expected a storage of known elements, found \(FileError.quoted(kind))")
    }
    guard let range = storages.range(key) else {
      throw failure(name, "expected entry \(FileError.quoted("data/" + key)) in the archive, found none")
    }
    let width = bits / 8
    let (size, overflow) = length.multipliedReportingOverflow(by: isUntyped ? 1 : width)
    guard !overflow, size == range.count, size.isMultiple(of: width) else {
      throw failure(
        name,
        "expected \(length) elements of \(type) in entry \(FileError.quoted("data/" + key)), found \(range.count) "
          + "bytes")
    }
    return (type, width, range)
  }

  /// The elements of the storage from the tensor's first to its last.
  private func span(
    _ name: String, _ shape: [Int], _ strides: [Int], offset: Int, of storage: Storage
  ) throws(FileError) -> Range<Int> {
    let available = storage.range.count / storage.width
    let isEmpty = shape.contains(0)
    var (count, last, fits) = (1, offset, true)
    for (length, stride) in zip(shape, strides) {
      let (product, overflow1) = count.multipliedReportingOverflow(by: length)
      let (distance, overflow2) = isEmpty ? (0, false) : stride.multipliedReportingOverflow(by: length - 1)
      let (sum, overflow3) = last.addingReportingOverflow(distance)
      (count, last, fits) = (product, sum, fits && !overflow1 && !overflow2 && !overflow3)
    }
    if isEmpty, fits, offset <= available { return offset..<offset }
    guard fits, last < available else {
      throw failure(
        name,
        "expected a tensor inside its \(available) stored elements, found offset \(offset), shape \(shape) and "
          + "strides \(strides)")
    }
    // Views that repeat elements could claim any size.
    guard count <= available else {
      throw failure(name, "expected at most the \(available) stored elements, found shape \(shape)")
    }
    return offset..<last + 1
  }

  /// Whether the strides are those of a tensor in row-major order; axes of length 1 may have any.
  private static func isRowMajor(_ shape: [Int], _ strides: [Int]) -> Bool {
    guard !shape.contains(0) else { return true }
    var expected = 1
    for (length, stride) in zip(shape, strides).reversed() where length != 1 {
      guard stride == expected else { return false }
      expected *= length
    }
    return true
  }
}

// MARK: - Distributed tensors

extension TorchTensors {
  /// A rank's share of a tensor, from the arguments (class, element type, shape, …) of the whole and the state of the
  /// object.
  private func distributed(
    _ name: String, type: String, _ arguments: [PickleGraph.Value], state: PickleGraph.Value
  ) throws(FileError) -> TensorEntry {
    guard arguments.count >= 3, let shape = graph.integers(arguments[2]), shape.allSatisfy({ $0 >= 0 }) else {
      throw failure(name, "expected the shape of the whole tensor, found none")
    }
    let isShardedTensor = type == PickleGlobals.shardedTensor
    guard isShardedTensor || PickleGlobals.distributedTensors.contains(type) else {
      throw failure(name, "expected a tensor, found \(FileError.quoted(type))")
    }
    if isShardedTensor { return try shardedTensor(name, shape, arguments, state: state) }
    guard let local = graph.attribute("_local_tensor", of: state), let spec = graph.attribute("_spec", of: state) else {
      throw failure(name, "expected a DTensor with a local tensor, found none")
    }
    let placement = try placement(name, spec, axes: shape.count)
    return try piece(of: TensorPiece(wholeShape: shape, placement: placement), name, local)
  }

  /// The share as a tensor of its own.
  private func piece(
    of whole: TensorPiece, _ name: String, _ local: PickleGraph.Value
  ) throws(FileError) -> TensorEntry {
    // Plain alone: a tensor could else be its own share.
    guard let (function, arguments, _) = graph.object(local), PickleGlobals.rebuildTensor.contains(function) else {
      throw failure(name, "expected a plain local tensor, found another kind")
    }
    let entry = try plain(name, arguments)
    guard entry.shape.count == whole.wholeShape.count, zip(entry.shape, whole.wholeShape).allSatisfy({ $0 <= $1 })
    else { throw failure(name, "expected a share of shape \(whole.wholeShape), found shape \(entry.shape)") }
    return TensorEntry(
      name: name, elementType: entry.elementType, shape: entry.shape, byteRange: entry.byteRange,
      strides: entry.strides, piece: whole)
  }

  private func placement(
    _ name: String, _ spec: PickleGraph.Value, axes: Int
  ) throws(FileError) -> TensorPiece.Placement {
    let state = graph.object(spec)?.state ?? .none
    guard let placements = graph.elements(graph.attribute("placements", of: state)), (1...8).contains(placements.count)
    else { throw failure(name, "expected the placements of a DTensor, found none") }
    var found = TensorPiece.Placement.replicated
    let mesh = meshShape(graph.attribute("mesh", of: state))
    for (meshAxis, value) in placements.enumerated() {
      guard let (kind, arguments, state) = graph.object(value) else {
        throw failure(name, "expected a placement, found something else")
      }
      if PickleGlobals.replicated.contains(kind) { continue }
      guard PickleGlobals.sharded.contains(kind), found == .replicated,
        let axis = (graph.attribute("dim", of: state) ?? arguments.first)?.integer, (0..<axes).contains(axis)
      else { throw failure(name, "expected a tensor cut along one axis, found \(FileError.quoted(kind)) as well") }
      guard mesh.isEmpty ? placements.count == 1 : mesh.count == placements.count else {
        throw failure(name, "expected a grid of ranks with \(placements.count) axes, found \(mesh)")
      }
      found = .sharded(axis: axis, mesh: mesh, meshAxis: meshAxis)
    }
    return found
  }

  /// The lengths of the axes of the grid of ranks; empty where the pickle does not tell.
  ///
  /// `DeviceMesh` has had three forms: with a tensor `mesh`, with a `_layout` of one `shape`, and of `axes` with a shape
  /// each.
  private func meshShape(_ mesh: PickleGraph.Value?) -> [Int] {
    guard let state = graph.object(mesh)?.state else { return [] }
    if let tensor = graph.object(graph.attribute("mesh", of: state)), tensor.arguments.count > 2 {
      return graph.integers(tensor.arguments[2]) ?? []
    }
    guard let layout = graph.object(graph.attribute("_layout", of: state))?.state else { return [] }
    if let shape = graph.attribute("shape", of: layout) {
      return graph.integers(shape) ?? shape.integer.map { [$0] } ?? []
    }
    let axes = graph.elements(graph.attribute("axes", of: layout)) ?? []
    let lengths = axes.prefix(8).compactMap { axis -> Int? in
      guard let shape = graph.object(axis).flatMap({ graph.attribute("shape", of: $0.state) }) else { return nil }
      return shape.integer
        ?? graph.integers(shape)?.reduce(1) { $0.multipliedReportingOverflow(by: $1).partialValue }
    }
    return lengths.count == axes.count ? lengths : []
  }

  /// The share of a `ShardedTensor`, whose state begins with the list of the shards that the rank has.
  private func shardedTensor(
    _ name: String, _ shape: [Int], _ arguments: [PickleGraph.Value], state: PickleGraph.Value
  ) throws(FileError) -> TensorEntry {
    guard let shards = graph.elements(graph.elements(state)?.first), shards.count <= 1 else {
      throw failure(name, "expected at most one shard of a ShardedTensor, found another number")
    }
    guard let shard = shards.first else {
      // A rank beyond the last row has none.
      let type = graph.global(arguments[1]).flatMap { PickleGlobals.elementTypes[$0] }
      let whole = TensorPiece(wholeShape: shape, placement: .at(shape.map { _ in 0 }))
      return TensorEntry(
        name: name, elementType: type ?? ElementType(.float32), shape: shape.map { _ in 0 }, byteRange: 0..<0,
        piece: whole)
    }
    let parts = graph.object(shard)?.state ?? .none
    let metadata = graph.object(graph.attribute("metadata", of: parts))?.state ?? .none
    guard let tensor = graph.attribute("tensor", of: parts),
      let offsets = graph.integers(graph.attribute("shard_offsets", of: metadata)), offsets.count == shape.count,
      offsets.allSatisfy({ $0 >= 0 })
    else { throw failure(name, "expected a shard with its offsets, found something else") }
    return try piece(of: TensorPiece(wholeShape: shape, placement: .at(offsets)), name, tensor)
  }
}
