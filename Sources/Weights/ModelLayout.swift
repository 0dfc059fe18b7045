import Foundation
import OrderedCollections

/// Which file of a model holds which tensor.
struct ModelLayout {
  /// The path of the file that holds each tensor.
  private(set) var shardOfTensor = OrderedDictionary<String, String>()
  /// The files that had to be opened to find out.
  private(set) var opened: [String: SafetensorsFile] = [:]

  static let indexName = "model.safetensors.index.json"
  private static let singleName = "model.safetensors"
  private static let adapterName = "adapter_model.safetensors"

  init(path: String) throws(FileError) {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
      throw FileError(
        .cannotOpen, path: path, "no such file or folder",
        remedy: "Give the path of a safetensors file or of a model's folder; nothing is downloaded")
    }
    let names = isFolder.boolValue ? try Self.names(in: path) : []
    if !isFolder.boolValue {
      try open([path])
    } else if names.contains(Self.singleName) {
      try open([path + "/" + Self.singleName])
    } else if names.contains(Self.indexName) {
      try readIndex(in: path)
    } else {
      let shards = names.filter { $0.hasSuffix(".safetensors") && $0 != Self.adapterName }
      guard !shards.isEmpty else { throw Self.noWeights(names, in: path) }
      try open(shards.map { path + "/" + $0 })
    }
  }

  /// The visible names in a folder, sorted.
  private static func names(in folder: String) throws(FileError) -> [String] {
    do {
      return try FileManager.default.contentsOfDirectory(atPath: folder).filter { !$0.hasPrefix(".") }.sorted()
    } catch {
      throw FileError(
        .cannotOpen, path: folder, "the folder cannot be listed", remedy: "Make it readable for this user")
    }
  }

  private mutating func open(_ paths: [String]) throws(FileError) {
    for path in paths {
      let file = try SafetensorsFile(path: path)
      opened[path] = file
      for name in file.tensors.keys {
        if let other = shardOfTensor.updateValue(path, forKey: name) {
          throw FileError(
            .badContent, path: path, object: "tensor " + FileError.quoted(name),
            "expected every tensor in one file, found it in \(other) as well",
            remedy: "Keep the files of one model in the folder, or give the path of one file")
        }
      }
    }
  }

  private static func noWeights(_ names: [String], in folder: String) -> FileError {
    let expected = "expected \(singleName), \(indexName) or other safetensors files"
    if let pickle = names.first(where: { $0.hasPrefix("pytorch_model") && $0.hasSuffix(".bin") }) {
      return FileError(
        .badContent, path: folder, "\(expected), found only \(pickle), a format that cannot be read",
        remedy: "Convert the model with save_pretrained(safe_serialization=True)")
    }
    if names.contains(adapterName) {
      return FileError(
        .badContent, path: folder, "\(expected), found an adapter",
        remedy: "Give the folder of the base model; the adapter names it as base_model_name_or_path in its config")
    }
    return FileError(.badContent, path: folder, "\(expected), found none", remedy: "Check the path")
  }
}

// MARK: - Index

extension ModelLayout {
  /// Reads `weight_map`. The rest of the index, such as `metadata.total_size`, is written in many variants and not needed.
  private mutating func readIndex(in folder: String) throws(FileError) {
    let path = folder + "/" + Self.indexName
    let index = try JSONValue(contentsOf: path, rejectingDuplicateKeys: true)
    guard let map = index["weight_map"]?.object, !map.isEmpty else {
      throw FileError(
        .badContent, path: path, object: "weight_map", "expected an object from tensor names to shards, found none",
        remedy: "Copy or download the index again")
    }
    for (name, value) in map {
      shardOfTensor[name] = folder + "/" + (try Self.shardName(value, of: name, index: path))
    }
    for shard in Set(shardOfTensor.values).sorted() where !FileManager.default.fileExists(atPath: shard) {
      let count = shardOfTensor.values.count { $0 == shard }
      throw FileError(
        .cannotOpen, path: shard, "no such file, though \(Self.indexName) promises \(count) tensors in it",
        remedy: "Copy or download the missing shard")
    }
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
