import Adapters
import LinearAlgebra
import TestSupport
import Training
import Weights

/// What PyTorch, transformers and PEFT compute for small models, from `Tests/References/training`.
enum Oracle {
  static let folder = repositoryRoot + "/Tests/References/training"
  static let models = ["qwen2", "qwen2-untied", "llama", "llama-bias"]

  /// A small model that transformers wrote.
  static func model(_ name: String) throws -> PretrainedModel {
    try PretrainedModel(path: folder + "/models/" + name)
  }

  static func values(ofModel name: String) throws -> TensorFile {
    try TensorFile(path: folder + "/models/\(name)/oracle.safetensors")
  }

  static func values(ofMethod name: String) throws -> TensorFile {
    try TensorFile(path: folder + "/methods/\(name).safetensors")
  }

  /// The token sequences that every loss is over.
  static func sequences(_ model: String) throws -> [[Int32]] {
    let file = try values(ofModel: model)
    return try (0..<4).map { try file.integers("tokens.\($0)") }
  }

  /// The batch in which every token but the first of each sequence is predicted.
  static func batch(_ model: String) throws -> CompletionBatch {
    CompletionBatch(
      try sequences(model).map { TokenGroup(prompt: [$0[0]], completions: [Array($0.dropFirst())]) })
  }
}

extension TensorFile {
  func doubles(_ name: String) throws -> [Double] { try read(name, as: Double.self) }

  /// A tensor of 64-bit integers.
  func integers(_ name: String) throws -> [Int32] {
    let bytes = try readBytes(name)
    return stride(from: 0, to: bytes.count, by: 8).map { Int32(bytes[$0]) | Int32(bytes[$0 + 1]) << 8 }
  }
}

/// ‖x − y‖/‖y‖.
func relativeDistance<S: TransformerScalar>(_ x: some Collection<S>, _ y: [Double]) -> Double {
  let difference = zip(x, y).map { Double($0) - $1 }
  let scale = euclideanNorm(y)
  return x.count == y.count ? euclideanNorm(difference) / (scale > 0 ? scale : 1) : .infinity
}
