import OrderedCollections
import Synchronization

/// The weights of a pretrained model: one file of tensors, or a Hugging Face folder of one or several.
///
/// Weights of 8-bit floating point are read together with the scales beside them; what a quantiser packed is refused.
/// Shards are opened when their first tensor is asked for, and stay open. The model may be used from several threads at
/// once.
package final class BaseModel: Sendable {
  /// The folder or file that was given.
  package let path: String
  /// The names of all tensors, in the order of the index or of the files.
  package var tensorNames: [String] { shardOfTensor.keys.elements }

  /// The path of the file that holds each tensor.
  private let shardOfTensor: OrderedDictionary<String, String>
  /// The index of the shards, where there is one.
  private let index: ShardIndex?
  /// The shards opened so far, by path.
  private let shards: Mutex<[String: TensorFile]>
  /// The rows and columns that one scale of an 8-bit weight stands for.
  let scaleBlock: (rows: Int, columns: Int)

  /// Finds the files of a model and reads the names of its tensors.
  ///
  /// `path` is a file of tensors or a folder. In a folder `model.safetensors` comes first, then
  /// `model.safetensors.index.json` with its shards, then `pytorch_model.bin` and its index, as `transformers` would
  /// choose, then all other safetensors files but `adapter_model.safetensors`. Throws `.cannotOpen` where a file is
  /// missing, and `.badContent` where the files contradict each other, are of another format, or hold packed weights.
  package init(path: String) throws(FileError) {
    let layout = try ModelLayout(path: path)
    let configuration = ModelConfiguration(besides: path, isFile: layout.opened[path] != nil)
    try PackedWeights.refuse(layout.shardOfTensor.keys.elements, configuration, path: path)
    self.path = path
    shardOfTensor = layout.shardOfTensor
    index = layout.index
    shards = Mutex(layout.opened)
    scaleBlock = configuration.scaleBlock
  }

  /// Whether the model has a tensor of that name.
  package func contains(_ name: String) -> Bool { shardOfTensor[name] != nil }

  /// The open file that holds a tensor; throws `.badContent` for an unknown name, and where the index promises a tensor
  /// that the shard lacks.
  package func file(holding name: String) throws(FileError) -> TensorFile {
    guard let shard = shardOfTensor[name] else {
      throw FileError(
        .badContent, path: path, object: "tensor " + FileError.quoted(name),
        "expected a tensor of this name, found none among \(shardOfTensor.count)",
        remedy: "Check that this is the base that the adapter was trained on")
    }
    return try openShard(shard)
  }

  /// What the header says about a tensor; throws as `file(holding:)` does.
  package func entry(_ name: String) throws(FileError) -> TensorEntry {
    try file(holding: name).entry(name)
  }

  /// The lengths of a tensor's axes; throws as `file(holding:)` does.
  package func shape(of name: String) throws(FileError) -> [Int] { try entry(name).shape }

  /// The bytes of all tensors together, without headers. Opens every shard.
  package func totalBytes() throws(FileError) -> Int {
    var total = 0
    for name in tensorNames { total += try entry(name).byteCount }
    return total
  }

  private func openShard(_ path: String) throws(FileError) -> TensorFile {
    try shards.withLock { (shards) throws(FileError) in
      if let shard = shards[path] { return shard }
      let shard = if let index { try index.open(path) } else { try TensorFile(path: path) }
      try shard.checkWhole()
      shards[path] = shard
      return shard
    }
  }
}

// MARK: - Reading

extension BaseModel {
  /// Whether the numbers of a tensor can be read; throws as `file(holding:)` does.
  package func isReadable(_ name: String) throws(FileError) -> Bool {
    let type = try entry(name).elementType
    return type.format != nil || Float8Format(rawValue: type.rawValue) != nil && scaleName(of: name) != nil
  }

  /// All elements of a tensor in row-major order; throws `.badContent` for a type that cannot be read, and for 8-bit
  /// weights without a scale that fits them.
  package func read<Scalar: WeightScalar>(_ name: String, as type: Scalar.Type) throws(FileError) -> [Scalar] {
    if let weight = try scaledWeight(name) { return try weight.read(weight.whole, as: type) }
    return try file(holding: name).read(name, as: type)
  }

  /// `read`, which also throws `.nonFinite` when a value is NaN or infinite.
  package func readFinite<Scalar: WeightScalar>(_ name: String, as type: Scalar.Type) throws(FileError) -> [Scalar] {
    guard let weight = try scaledWeight(name) else { return try file(holding: name).readFinite(name, as: type) }
    let values = try weight.read(weight.whole, as: type)
    var found = NonFiniteCount(total: values.count)
    values.withUnsafeBufferPointer { found.add($0, from: 0) }
    if let error = found.error(path: weight.file.path, name: name) { throw error }
    return values
  }

  /// A matrix with finite values, row by row; throws `.badContent` when the tensor has not two axes, is of a type that
  /// cannot be read, or holds NaN or infinities.
  package func readMatrix<Scalar: WeightScalar>(
    _ name: String, as type: Scalar.Type
  ) throws(FileError) -> (rows: Int, columns: Int, values: [Scalar]) {
    let file = try file(holding: name)
    let grid = try file.entry(name).matrix(path: file.path)
    return (grid.rows, grid.columns, try readFinite(name, as: type))
  }

  /// Rows of a matrix in row-major order, within its shape; throws as `readRectangle` does.
  package func readRows<Scalar: WeightScalar>(
    _ name: String, rows: Range<Int>, as type: Scalar.Type
  ) throws(FileError) -> [Scalar] {
    let file = try file(holding: name)
    let columns = try file.entry(name).matrix(path: file.path).columns
    return try readRectangle(name, rows: rows, columns: 0..<columns, as: type)
  }

  /// A part of a matrix in row-major order, or of a stack of matrices, as `TensorFile.readRectangle` reads it, in memory
  /// bounded by the part. Values may be NaN or infinite. Throws `.badContent` when the tensor has fewer than two axes or
  /// is of a type that cannot be read.
  package func readRectangle<Scalar: WeightScalar>(
    _ name: String, rows: Range<Int>, columns: Range<Int>, as type: Scalar.Type
  ) throws(FileError) -> [Scalar] {
    if let weight = try scaledWeight(name) { return try weight.read(Rectangle(rows: rows, columns: columns), as: type) }
    return try file(holding: name).readRectangle(name, rows: rows, columns: columns, as: type)
  }

  /// Counts NaN and infinities in one pass with bounded memory; throws as `read` does.
  package func countNonFinite(of name: String) throws(FileError) -> NonFiniteCount {
    guard let weight = try scaledWeight(name) else { return try file(holding: name).countNonFinite(of: name) }
    return try weight.countNonFinite()
  }

  /// ‖W‖_F in Float64, in bounded memory; throws `.nonFinite` when a value is NaN or infinite.
  package func frobeniusNorm(of name: String) throws(FileError) -> Double {
    guard let weight = try scaledWeight(name) else { return try file(holding: name).frobeniusNorm(of: name) }
    return try weight.frobeniusNorm()
  }
}
