import Foundation
import LinearAlgebra
import Spectra
import Weights

/// A base of tall weights and a series of LoRA checkpoints on it, drawn from a seed: no Python is needed, and every machine makes the
/// same.
struct SyntheticModel {
  /// How many weights; each is 2·hidden × hidden, which keeps small singular values away from zero.
  var modules = 4
  var rank = 8
  var hidden = 128
  var checkpoints = 2

  private var paths: [String] { (0..<modules).map { "model.layers.\($0).mlp.up_proj" } }
  private var rows: Int { 2 * hidden }

  /// Writes the base's folder.
  func writeBase(to folder: String) throws {
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    var generator = SeededGenerator(seed: 0)
    let scale = 1 / Float(hidden).squareRoot()
    var writer = SafetensorsWriter()
    // A heavy head and a long tail, as trained weights have: without gaps between values iterations would find no end.
    let fall = (0..<hidden).map { scale * powf(1 + Float($0) / 12, -0.45) }
    for path in paths {
      var values = normals(rows * hidden, &generator, scale: 1)
      for index in values.indices { values[index] *= fall[index % hidden] }
      writer.add(path + ".weight", shape: [rows, hidden], values)
    }
    try writer.write(to: folder + "/model.safetensors")
    try PendingFile.write(#"{"model_type": "qwen2"}"#, to: folder + "/config.json")
  }

  /// Writes a folder of checkpoint-N.
  func writeSeries(to folder: String) throws {
    var generator = SeededGenerator(seed: 1)
    for step in 1...checkpoints {
      let place = folder + "/checkpoint-\(step)"
      try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
      var writer = SafetensorsWriter()
      for path in paths {
        let (a, b) = ("base_model.model.\(path).lora_A.weight", "base_model.model.\(path).lora_B.weight")
        writer.add(a, shape: [rank, hidden], normals(rank * hidden, &generator, scale: 0.02))
        writer.add(b, shape: [rows, rank], normals(rows * rank, &generator, scale: 1e-3))
      }
      try writer.write(to: place + "/adapter_model.safetensors")
      let configuration: JSONValue = ["peft_type": "LORA", "r": .integer(rank), "lora_alpha": .integer(2 * rank)]
      try PendingFile.write(configuration.text(), to: place + "/adapter_config.json")
    }
  }

  /// Frames for every module without a base: rows of unit length in the place of singular vectors, which cost as much to work with.
  func frames() -> [String: EndFrames] {
    var generator = SeededGenerator(seed: 2)
    func vectors(_ length: Int) -> Matrix<Double> {
      let values = normals(2 * rank * length, &generator, scale: 1 / Float(length).squareRoot())
      return Matrix(rows: 2 * rank, columns: length, elements: values.map(Double.init))
    }
    let values = (0..<hidden).map { 2 - Double($0) / Double(hidden) }
    let basis = SpectralBasis(
      rows: rows, columns: hidden, values: values, leading: rank, trailing: rank, left: vectors(rows),
      right: vectors(hidden), gramFactor: nil, frobeniusNorm: values.reduce(0) { $0 + $1 * $1 }.squareRoot(),
      error: FrameError(direct: 0, squared: 0))
    let frames = EndFrames(of: basis, k: rank)
    return Dictionary(uniqueKeysWithValues: paths.map { ($0, frames) })
  }

  private func normals(_ count: Int, _ generator: inout SeededGenerator, scale: Float) -> [Float] {
    (0..<count).map { _ in scale * Float(generator.normal()) }
  }
}
