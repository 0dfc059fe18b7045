import OrderedCollections
import Synchronization

/// The weights of a pretrained model: one safetensors file, or a Hugging Face folder of one or several.
///
/// Shards are opened when their first tensor is asked for, and stay open. The model may be used from several threads at
/// once.
package final class BaseModel: Sendable {
  /// The folder or file that was given.
  package let path: String
  /// The names of all tensors, in the order of the index or of the files.
  package var tensorNames: [String] { shardOfTensor.keys.elements }

  /// The path of the file that holds each tensor.
  private let shardOfTensor: OrderedDictionary<String, String>
  /// The shards opened so far, by path.
  private let shards: Mutex<[String: SafetensorsFile]>

  /// Finds the files of a model and reads the names of its tensors.
  ///
  /// `path` is a safetensors file or a folder. In a folder `model.safetensors` comes first, then
  /// `model.safetensors.index.json` with its shards, then all other safetensors files but `adapter_model.safetensors`,
  /// as `transformers` would choose. Throws `.cannotOpen` where a file is missing, and `.badContent` where the files
  /// contradict each other or are of another format.
  package init(path: String) throws(FileError) {
    let layout = try ModelLayout(path: path)
    self.path = path
    shardOfTensor = layout.shardOfTensor
    shards = Mutex(layout.opened)
  }

  /// Whether the model has a tensor of that name.
  package func contains(_ name: String) -> Bool { shardOfTensor[name] != nil }

  /// The open file that holds a tensor; throws `.badContent` for an unknown name, and where the index promises a tensor
  /// that the shard lacks.
  package func file(holding name: String) throws(FileError) -> SafetensorsFile {
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
    for name in tensorNames { total += try entry(name).byteRange.count }
    return total
  }

  private func openShard(_ path: String) throws(FileError) -> SafetensorsFile {
    try shards.withLock { (shards) throws(FileError) in
      if let shard = shards[path] { return shard }
      let shard = try SafetensorsFile(path: path)
      for (name, home) in shardOfTensor where home == path && shard.tensors[name] == nil {
        throw FileError(
          .badContent, path: path, object: "tensor " + FileError.quoted(name),
          "expected this tensor, which \(ModelLayout.indexName) promises, found none of that name",
          remedy: "Copy or download the shard and the index again, from the same version of the model")
      }
      shards[path] = shard
      return shard
    }
  }
}

// MARK: - Reading

extension BaseModel {
  /// All elements of a tensor in row-major order; throws `.badContent` for a type that cannot be read.
  package func read<Scalar: WeightScalar>(_ name: String, as type: Scalar.Type) throws(FileError) -> [Scalar] {
    try file(holding: name).read(name, as: type)
  }

  /// `read`, which also throws `.badContent` when a value is NaN or infinite.
  package func readFinite<Scalar: WeightScalar>(_ name: String, as type: Scalar.Type) throws(FileError) -> [Scalar] {
    try file(holding: name).readFinite(name, as: type)
  }

  /// A matrix with finite values, row by row; throws `.badContent` when the tensor has not two axes, is of a type that
  /// cannot be read, or holds NaN or infinities.
  package func readMatrix<Scalar: WeightScalar>(
    _ name: String, as type: Scalar.Type
  ) throws(FileError) -> (rows: Int, columns: Int, values: [Scalar]) {
    let file = try file(holding: name)
    let shape = try file.entry(name).shape
    guard shape.count == 2 else {
      throw FileError(
        .badContent, path: file.path, object: "tensor " + FileError.quoted(name),
        "expected a matrix, found shape \(shape)")
    }
    return (shape[0], shape[1], try file.readFinite(name, as: type))
  }

  /// ‖W‖_F in Float64, in bounded memory; throws `.badContent` when a value is NaN or infinite.
  package func frobeniusNorm(of name: String) throws(FileError) -> Double {
    try file(holding: name).frobeniusNorm(of: name)
  }
}
