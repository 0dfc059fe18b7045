import Diagnosis
import Foundation
import Measurement
import RunStore
import Spectra
import TestSupport
import Weights

/// A base of two 12 × 10 weights and LoRA checkpoints over it, made of seeded numbers.
struct SyntheticRun {
  let folder: TemporaryFolder
  static let modules = ["layers.0.q", "layers.1.q"]

  init() throws {
    folder = try TemporaryFolder()
    var writer = SafetensorsWriter()
    for (index, module) in Self.modules.enumerated() {
      writer.add(module + ".weight", shape: [12, 10], Self.numbers(120, seed: index), as: .float32)
    }
    try FileManager.default.createDirectory(atPath: folder.path("base"), withIntermediateDirectories: true)
    try writer.write(to: folder.path("base/model.safetensors"))
  }

  /// Numbers of (−1, 1) that differ from seed to seed: the fractional parts of multiples of the golden ratio.
  private static func numbers(_ count: Int, seed: Int) -> [Double] {
    (0..<count).map { (Double($0 + 1 + 1000 * seed) * 0.6180339887498949).truncatingRemainder(dividingBy: 1) * 2 - 1 }
  }

  /// Writes `run/checkpoint-<step>`; `broken` is a module whose A holds a NaN.
  func write(step: Int, rank: Int = 2, alpha: Double = 4, broken: String? = nil, fields: String = "") throws {
    let name = "run/checkpoint-\(step)/"
    try folder.write(
      name + "adapter_config.json", #"{"peft_type": "LORA", "r": \#(rank), "lora_alpha": \#(alpha)\#(fields)}"#)
    var writer = SafetensorsWriter()
    for (index, module) in Self.modules.enumerated() {
      var a = Self.numbers(rank * 10, seed: 10 + index)
      if module == broken { a[3] = .nan }
      let b = Self.numbers(12 * rank, seed: 20 + index).map { $0 * Double(step) / 100 }
      writer.add(module + ".lora_A.weight", shape: [rank, 10], a, as: .float32)
      writer.add(module + ".lora_B.weight", shape: [12, rank], b, as: .float32)
    }
    try writer.write(to: folder.path(name + "adapter_model.safetensors"))
  }

  func options(jobs: Int = 1, output: String = "analysis.h5") -> MeasurementOptions {
    MeasurementOptions(
      source: folder.path("run"), base: folder.path("base"), jobs: jobs, output: folder.path(output))
  }

  func measure(jobs: Int = 1, output: String = "analysis.h5") throws -> MeasurementPlan.Outcome {
    let options = options(jobs: jobs, output: output)
    return try MeasurementPlan(options).run(options)
  }

  /// The bytes of the analysis file.
  func written(_ output: String = "analysis.h5") throws -> Data {
    try Data(contentsOf: URL(filePath: folder.path(output)))
  }
}

extension Analysis {
  func row(_ step: Int, _ module: String, _ delta: Delta) -> SpectrumRow? {
    rows.first { $0.step == step && $0.module == module && $0.delta == delta }
  }

  func findings(_ code: String) -> [Finding] { findings.filter { $0.code == code } }
}
