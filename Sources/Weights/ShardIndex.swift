import Foundation
import OrderedCollections

/// The index of a model that is cut into several files: which of them holds which tensor.
struct ShardIndex {
  let path: String
  /// The path of the file that holds each tensor, in the order of the index.
  private(set) var shardOfTensor = OrderedDictionary<String, String>()

  /// The name without the folder, for messages.
  var name: String { path.split(separator: "/").last.map(String.init) ?? path }

  /// The paths of all shards, in the order in which the index first names them.
  var shards: OrderedSet<String> { OrderedSet(shardOfTensor.values) }

  /// Reads `weight_map`. The rest of the index, such as `metadata.total_size`, is written in many variants and not needed.
  ///
  /// Throws `.badContent` for a map that is none, and `.cannotOpen` where a shard is missing.
  init(path: String) throws(FileError) {
    self.path = path
    let index = try JSONValue(contentsOf: path, rejectingDuplicateKeys: true)
    guard let map = index["weight_map"]?.object, !map.isEmpty else {
      throw FileError(
        .badContent, path: path, object: "weight_map", "expected an object from tensor names to shards, found none",
        remedy: "Copy or download the index again")
    }
    let folder = path.lastIndex(of: "/").map { String(path[...$0]) } ?? ""
    for (name, value) in map {
      shardOfTensor[name] = folder + (try Self.shardName(value, of: name, index: path))
    }
    for shard in shards.sorted() where !FileManager.default.fileExists(atPath: shard) {
      let count = shardOfTensor.values.count { $0 == shard }
      throw FileError(
        .cannotOpen, path: shard, "no such file, though \(name) promises \(count) tensors in it",
        remedy: "Copy or download the missing shard")
    }
  }

  /// Opens a shard; throws `.badContent` where it lacks a tensor that the index promises.
  func open(_ shard: String) throws(FileError) -> TensorFile {
    let file = try TensorFile(path: shard)
    for (name, home) in shardOfTensor where home == shard && file.tensors[name] == nil {
      throw FileError(
        .badContent, path: shard, object: "tensor " + FileError.quoted(name),
        "expected this tensor, which \(self.name) promises, found none of that name",
        remedy: "Copy or download the shard and the index again, from the same version of the model")
    }
    return file
  }

  /// A shard's name, which must stay within the folder: an index is untrusted input.
  private static func shardName(
    _ value: JSONValue, of name: String, index path: String
  ) throws(FileError) -> String {
    let shard = value.string ?? ""
    // Bytes, not characters: a combining accent would hide a separator from a comparison of characters.
    let separators = [UInt8(ascii: "/"), UInt8(ascii: "\\"), 0]
    let isPlain = !shard.isEmpty && !shard.utf8.contains { separators.contains($0) } && !shard.contains("..")
    guard isPlain else {
      throw FileError(
        .badContent, path: path, object: "weight_map of tensor " + FileError.quoted(name),
        "expected the name of a file in the same folder, found \(FileError.quoted(value.string ?? value.text()))",
        remedy: "Copy or download the index again")
    }
    return shard
  }
}
