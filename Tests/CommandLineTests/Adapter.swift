import Foundation
import TestSupport
import Testing
import Weights

/// An adapter folder that a test changes.
struct Adapter {
  let path: String

  /// A tensor as the file holds it.
  struct Tensor {
    var name: String
    var shape: [Int]
    var type: ElementType
    var bytes: [UInt8]

    var elementCount: Int { shape.reduce(1, *) }
  }

  var configuration: String { path + "/adapter_config.json" }
  var weights: String { path + "/adapter_model.safetensors" }

  /// Replaces a part of the configuration's text, which must be in it.
  func replaceInConfiguration(_ old: String, with new: String) throws {
    let text = try String(contentsOfFile: configuration, encoding: .utf8)
    try #require(text.contains(old))
    try write(text.replacing(old, with: new), to: configuration)
  }

  func write(_ text: String, to path: String) throws { try Data(text.utf8).write(to: URL(fileURLWithPath: path)) }

  /// Replaces the bytes of the weights' file by what `change` makes of them.
  func changeBytes(_ change: (inout [UInt8]) -> Void) throws {
    var bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: weights)))
    change(&bytes)
    try Data(bytes).write(to: URL(fileURLWithPath: weights))
  }

  /// Rewrites every tensor as `change` leaves it; one that loses its name is left out.
  func changeTensors(_ change: (inout Tensor) -> Void) throws {
    let file = try TensorFile(path: weights)
    var writer = SafetensorsWriter()
    for (name, entry) in file.tensors.map({ ($0.key, $0.value) }) {
      var tensor = Tensor(name: name, shape: entry.shape, type: entry.elementType, bytes: try file.readBytes(name))
      change(&tensor)
      if tensor.name.isEmpty { continue }
      writer.add(tensor.name, shape: tensor.shape, type: tensor.type, bytes: tensor.bytes)
    }
    try writer.write(to: weights)
  }

  /// Changes one tensor.
  func change(_ name: String, _ change: (inout Tensor) -> Void) throws {
    var isFound = false
    try changeTensors { tensor in
      if tensor.name == name {
        isFound = true
        change(&tensor)
      }
    }
    try #require(isFound, "\(weights) has no tensor \(name)")
  }

  /// Keeps the tensors of one module only.
  func keepOnly(_ module: String) throws {
    try changeTensors { if !$0.name.contains(module) { $0.name = "" } }
  }

  /// Lets every adapter begin with the same part of its matrices of rank 4: rows of A and columns of B.
  func cutRank(to rank: Int) throws {
    try changeTensors { tensor in
      if tensor.name.hasSuffix("lora_A.weight") {
        tensor.bytes = Array(tensor.bytes.prefix(4 * rank * tensor.shape[1]))
        tensor.shape[0] = rank
      } else {
        let row = 4 * tensor.shape[1]
        tensor.bytes = (0..<tensor.shape[0]).flatMap { tensor.bytes[$0 * row..<$0 * row + 4 * rank] }
        tensor.shape[1] = rank
      }
    }
  }
}

extension Adapter {
  /// A LoRA tensor of the references, by its module and its factor.
  static func tensor(_ module: String, _ factor: String) -> String {
    "base_model.model.\(module).lora_\(factor).weight"
  }

  static let downProjection = "model.layers.0.mlp.down_proj"
}

/// The bytes with which Git LFS stands in for a file that was not fetched.
let gitLFSPointer = """
  version https://git-lfs.github.com/spec/v1
  oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393
  size 59248

  """
