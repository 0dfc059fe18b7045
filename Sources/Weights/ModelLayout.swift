import Foundation
import OrderedCollections

/// Which file of a model holds which tensor.
struct ModelLayout {
  /// The path of the file that holds each tensor.
  private(set) var shardOfTensor = OrderedDictionary<String, String>()
  /// The files that had to be opened to find out.
  private(set) var opened: [String: TensorFile] = [:]
  /// The index, where there is one.
  private(set) var index: ShardIndex?

  private static let indexName = "model.safetensors.index.json"
  private static let singleName = "model.safetensors"
  private static let torchName = "pytorch_model.bin"
  private static let torchIndexName = "pytorch_model.bin.index.json"
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
    } else if let name = Self.preferred.first(where: names.contains) {
      try openModel(path + "/" + name)
    } else {
      let shards = names.filter { $0.hasSuffix(".safetensors") && $0 != Self.adapterName }
      guard !shards.isEmpty else { throw Self.noWeights(names, in: path) }
      try open(shards.map { path + "/" + $0 })
    }
  }

  /// What stands for a whole model, in the order in which `transformers` looks for it.
  private static let preferred = [singleName, indexName, torchName, torchIndexName]

  private mutating func openModel(_ path: String) throws(FileError) {
    guard path.hasSuffix(".index.json") else { return try open([path]) }
    let index = try ShardIndex(path: path)
    shardOfTensor = index.shardOfTensor
    self.index = index
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
      let file = try TensorFile(path: path)
      try file.checkWhole()
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
    if let shard = names.first(where: { $0.hasPrefix("pytorch_model") && $0.hasSuffix(".bin") }) {
      return FileError(
        .badContent, path: folder, "\(expected), found only \(shard) without \(torchIndexName)",
        remedy: "Copy or download the index too")
    }
    if names.contains(adapterName) {
      return FileError(
        .badContent, path: folder, "\(expected), found an adapter",
        remedy: "Give the folder of the base model; the adapter names it as base_model_name_or_path in its config")
    }
    return FileError(.badContent, path: folder, "\(expected), found none", remedy: "Check the path")
  }
}
