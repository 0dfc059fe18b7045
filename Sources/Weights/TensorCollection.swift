import Foundation
import OrderedCollections

/// A tensor of a collection, whole wherever its parts lie.
package struct CollectedTensor: Equatable, Sendable {
  /// The name in the files.
  package let name: String
  /// The type of the elements, by its safetensors name.
  package let elementType: ElementType
  /// The lengths of the axes; empty for a scalar.
  package let shape: [Int]
  /// The axis along which the parts follow each other.
  let axis: Int
  let parts: [Part]

  /// What one file holds of it.
  struct Part: Equatable, Sendable {
    /// The index of the file in the collection.
    var file: Int
    /// Where it lies along the axis.
    var range: Range<Int>
  }

  /// The product of the shape.
  package var elementCount: Int { shape.reduce(1, *) }

  /// A tensor that one file has all of.
  init(_ entry: TensorEntry, file: Int) {
    name = entry.name
    elementType = entry.elementType
    shape = entry.shape
    axis = 0
    parts = [Part(file: file, range: 0..<(entry.shape.first ?? 1))]
  }

  init(name: String, elementType: ElementType, shape: [Int], axis: Int, parts: [Part]) {
    self.name = name
    self.elementType = elementType
    self.shape = shape
    self.axis = axis
    self.parts = parts
  }
}

/// Named tensors that may lie in several files: the shards of a model, or what the ranks of a distributed run saved.
package struct TensorCollection: Sendable {
  /// The file, index or folder that was given.
  package let path: String
  /// The files behind it, with their identities.
  package let files: [TensorFile]
  /// The tensors in the order of the files.
  package let tensors: OrderedDictionary<String, CollectedTensor>

  /// Opens a file of tensors, the index of a sharded model (`*.index.json`), or a folder of
  /// `model_world_size_W_rank_R.pt`. Throws as the other initialisers do.
  package init(path: String) throws(FileError) {
    var isFolder: ObjCBool = false
    if FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue {
      try self.init(ranksIn: path)
    } else if path.hasSuffix(".index.json") {
      try self.init(index: path)
    } else {
      try self.init(TensorFile(path: path))
    }
  }

  /// All tensors of one file; throws `.badContent` where it has only a rank's share of one.
  package init(_ file: TensorFile) throws(FileError) { try self.init(files: [file], path: file.path) }

  /// All tensors of several files; throws `.badContent` where two have a tensor of the same name, and where one has only
  /// a rank's share of a tensor.
  package init(files: [TensorFile], path: String) throws(FileError) {
    var tensors = OrderedDictionary<String, CollectedTensor>()
    for (index, file) in files.enumerated() {
      try file.checkWhole()
      for entry in file.tensors.values {
        guard let other = tensors.updateValue(CollectedTensor(entry, file: index), forKey: entry.name) else { continue }
        throw FileError(
          .badContent, path: file.path, object: entry.object,
          "expected every tensor in one file, found it in \(files[other.parts[0].file].path) as well",
          remedy: "Keep the files of one model together, and no others")
      }
    }
    (self.path, self.files, self.tensors) = (path, files, tensors)
  }

  /// The tensors that an index such as `pytorch_model.bin.index.json` names; throws `.badContent` for a broken index, or
  /// a shard that lacks a tensor, and `.cannotOpen` where a shard is missing.
  package init(index path: String) throws(FileError) {
    let index = try ShardIndex(path: path)
    let shards = index.shards
    let files = try shards.map { shard throws(FileError) in try index.open(shard) }
    for file in files { try file.checkWhole() }
    var tensors = OrderedDictionary<String, CollectedTensor>()
    for (name, shard) in index.shardOfTensor {
      guard let home = shards.firstIndex(of: shard) else { continue }
      tensors[name] = CollectedTensor(try files[home].entry(name), file: home)
    }
    (self.path, self.files, self.tensors) = (path, files, tensors)
  }

  /// The tensors that the ranks of an FSDP run saved as `model_world_size_W_rank_R.pt`, put together.
  ///
  /// Throws `.badContent` where a rank is missing, ranks of several runs lie together, or what they hold does not make
  /// whole tensors.
  package init(ranksIn folder: String) throws(FileError) {
    let ranks = try RankFiles(in: folder)
    let files = try ranks.paths.map { path throws(FileError) in try TensorFile(path: path) }
    path = folder
    self.files = files
    tensors = try RankAssembly(folder: folder, files: files).tensors()
  }

  /// Whether a folder holds files by the name of `model_world_size_W_rank_R.pt`.
  package static func hasRanks(in folder: String) -> Bool { !RankFiles.ranks(in: folder).isEmpty }

  /// The tensor of that name; throws `.badContent` where there is none.
  package func entry(_ name: String) throws(FileError) -> CollectedTensor {
    guard let tensor = tensors[name] else {
      throw FileError(
        .badContent, path: path, object: "tensor " + FileError.quoted(name),
        "expected a tensor of this name, found none among \(tensors.count)")
    }
    return tensor
  }
}

extension TensorFile {
  /// Throws `.badContent` where the file holds a rank's share of a tensor.
  func checkWhole() throws(FileError) {
    let share = tensors.values.first { ($0.piece?.wholeShape ?? $0.shape) != $0.shape }
    guard let entry = share, let piece = entry.piece else { return }
    throw FileError(
      .badContent, path: path, object: entry.object,
      "expected a whole tensor of shape \(piece.wholeShape), found one rank's share of shape \(entry.shape)",
      remedy: "Give the folder with the files of all ranks")
  }
}

// MARK: - Reading

extension TensorCollection {
  /// All elements of a tensor in row-major order; throws `.badContent` for an unknown name and for an element type that
  /// cannot be read.
  package func read<Scalar: WeightScalar>(_ name: String, as type: Scalar.Type) throws(FileError) -> [Scalar] {
    let tensor = try entry(name)
    if tensor.parts.count == 1 { return try files[tensor.parts[0].file].read(name, as: type) }
    // As a matrix of everything in front of the axis × the rest, in which the parts are side by side.
    let outer = tensor.shape[..<tensor.axis].reduce(1, *)
    let inner = tensor.shape[(tensor.axis + 1)...].reduce(1, *)
    let length = tensor.shape[tensor.axis] * inner
    return try assembled(rows: outer, columns: length) { (target) throws(FileError) in
      for part in tensor.parts {
        let share = try files[part.file].read(name, as: type)
        target.place(share, at: part.range.lowerBound * inner, width: part.range.count * inner)
      }
    }
  }

  /// `read`, which also throws `.nonFinite` when a value is NaN or infinite, in the files or after the conversion.
  package func readFinite<Scalar: WeightScalar>(_ name: String, as type: Scalar.Type) throws(FileError) -> [Scalar] {
    let values = try read(name, as: type)
    var found = NonFiniteCount(total: values.count)
    values.withUnsafeBufferPointer { found.add($0, from: 0) }
    if let error = found.error(path: path, name: name) { throw error }
    return values
  }

  /// Rows of a tensor in row-major order: of a matrix, or of any tensor cut along its first axis. `rows` must lie within
  /// that axis.
  package func readRows<Scalar: WeightScalar>(
    _ name: String, rows: Range<Int>, as type: Scalar.Type
  ) throws(FileError) -> [Scalar] {
    let tensor = try entry(name)
    if tensor.axis == 0 {
      var values: [Scalar] = []
      for part in tensor.parts {
        let share = rows.clamped(to: part.range)
        guard !share.isEmpty else { continue }
        let start = part.range.lowerBound
        values += try files[part.file].readRows(
          name, rows: share.lowerBound - start..<share.upperBound - start, as: type)
      }
      return values
    }
    if tensor.shape.count == 2 { return try readRectangle(name, rows: rows, columns: 0..<tensor.shape[1], as: type) }
    let width = tensor.shape.dropFirst().reduce(1, *)
    return [Scalar](try read(name, as: type)[rows.lowerBound * width..<rows.upperBound * width])
  }

  /// A part of a matrix in row-major order, or of a stack of matrices, as `TensorFile.readRectangle` reads it. Memory
  /// stays bounded by the part, unless a stack is cut along an axis between the first and the last.
  package func readRectangle<Scalar: WeightScalar>(
    _ name: String, rows: Range<Int>, columns: Range<Int>, as type: Scalar.Type
  ) throws(FileError) -> [Scalar] {
    let tensor = try entry(name)
    guard tensor.parts.count > 1, tensor.shape.count > 1 else {
      return try files[tensor.parts[0].file].readRectangle(name, rows: rows, columns: columns, as: type)
    }
    let last = tensor.shape.count - 1
    guard tensor.axis == 0 || tensor.axis == last else {
      let (values, width) = (try read(name, as: type), tensor.shape[last])
      return rows.flatMap { values[$0 * width + columns.lowerBound..<$0 * width + columns.upperBound] }
    }
    let (isStacked, wanted) = (tensor.axis == 0, tensor.axis == 0 ? rows : columns)
    let height = isStacked ? tensor.shape[1..<last].reduce(1, *) : 1
    return try assembled(rows: rows.count, columns: columns.count) { (target) throws(FileError) in
      for part in tensor.parts {
        let range = part.range.lowerBound * height..<part.range.upperBound * height
        let share = wanted.clamped(to: range)
        guard !share.isEmpty else { continue }
        let own = share.lowerBound - range.lowerBound..<share.upperBound - range.lowerBound
        let read = try files[part.file].readRectangle(
          name, rows: isStacked ? own : rows, columns: isStacked ? columns : own, as: type)
        let start = share.lowerBound - wanted.lowerBound
        if isStacked {
          target.place(read, at: start * columns.count, width: read.count, rows: 1)
        } else {
          target.place(read, at: start, width: share.count)
        }
      }
    }
  }

  /// Counts NaN and infinities in one pass with bounded memory.
  package func countNonFinite(of name: String) throws(FileError) -> NonFiniteCount {
    let tensor = try entry(name)
    if tensor.parts.count == 1 { return try files[tensor.parts[0].file].countNonFinite(of: name) }
    let inner = tensor.shape[(tensor.axis + 1)...].reduce(1, *)
    let (length, total) = (tensor.shape[tensor.axis] * inner, tensor.elementCount)
    var found = NonFiniteCount(total: total)
    for part in tensor.parts {
      let share = try files[part.file].countNonFinite(of: name)
      let width = part.range.count * inner
      found.add(share) { $0 / width * length + part.range.lowerBound * inner + $0 % width }
    }
    return found
  }

  /// ‖W‖_F in Float64, in one pass with bounded memory; throws `.nonFinite` when a value is NaN or infinite.
  package func frobeniusNorm(of name: String) throws(FileError) -> Double {
    var sum = ScaledSumOfSquares()
    for part in try entry(name).parts {
      guard try files[part.file].addSquares(of: name, to: &sum) else {
        if let error = try countNonFinite(of: name).error(path: path, name: name) { throw error }
        throw files[part.file].changed(name)
      }
    }
    return sum.squareRoot
  }
}

/// A matrix that is put together from parts that lie side by side.
private struct Assembly<Scalar> {
  let rows: Int
  let columns: Int
  let values: UnsafeMutableBufferPointer<Scalar>

  /// Copies a part of `width` columns to its place: bytes, because a loop in generic code would not be specialised for
  /// callers in other modules.
  func place(_ part: [Scalar], at column: Int, width: Int, rows: Int? = nil) {
    let size = MemoryLayout<Scalar>.stride
    part.withUnsafeBytes { source in
      for row in 0..<(rows ?? self.rows) where width > 0 {
        let target = UnsafeMutableRawBufferPointer(values)[((row * columns + column) * size)...]
        UnsafeMutableRawBufferPointer(rebasing: target)
          .copyMemory(from: UnsafeRawBufferPointer(rebasing: source[row * width * size..<(row + 1) * width * size]))
      }
    }
  }
}

/// The elements that `body` puts together; its parts have to cover all of them.
private func assembled<Scalar: WeightScalar>(
  rows: Int, columns: Int, _ body: (Assembly<Scalar>) throws(FileError) -> Void
) throws(FileError) -> [Scalar] {
  try [Scalar](unsafeUninitializedCapacity: rows * columns) { (buffer, count) throws(FileError) in
    let values = UnsafeMutableBufferPointer(rebasing: buffer[..<(rows * columns)])
    try body(Assembly(rows: rows, columns: columns, values: values))
    count = rows * columns
  }
}
