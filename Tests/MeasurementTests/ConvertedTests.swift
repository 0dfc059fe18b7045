import Adapters
import Foundation
import LinearAlgebra
import Diagnosis
import Measurement
import OrderedCollections
import RunStore
import Spectra
import TestSupport
import Testing
import Weights

/// PiSSA adapters that were converted on save, [A; A₀] and [B, −B₀] of twice the rank, are LoRA of the original base.
@Suite struct ConvertedTests {
  private let folder = try! TemporaryFolder()
  private let reference = ReferenceCase.named("pissa-f32-initial")

  /// A copy of the reference run whose checkpoint 20 is converted.
  private func convertedRun() throws -> String {
    let run = folder.path("run")
    try FileManager.default.createDirectory(atPath: run, withIntermediateDirectories: true)
    for step in [5, 10] {
      try FileManager.default.copyItem(
        atPath: reference.source + "/checkpoint-\(step)", toPath: run + "/checkpoint-\(step)")
    }
    try convert(reference.source + "/checkpoint-20", to: run + "/checkpoint-20")
    return run
  }

  private func convert(_ source: String, to target: String) throws {
    try FileManager.default.copyItem(atPath: source, toPath: target)
    let now = try AdapterFolder(path: source)
    let first = try AdapterFolder(path: reference.initial!)
    var writer = SafetensorsWriter(metadata: ["format": "pt"])
    for module in now.modules {
      let (a, b) = (try now.factors(of: module), try first.factors(of: first.modules.first { $0.path == module.path }!))
      let stacked = Matrix.stacked([a.a, b.a])
      let sides = Matrix.sideBySide([a.b, b.b.scaled(by: -1)])
      let name = "base_model.model." + module.path
      writer.add(name + ".lora_A.weight", shape: [stacked.rows, stacked.columns], stacked.elements, as: .float32)
      writer.add(name + ".lora_B.weight", shape: [sides.rows, sides.columns], sides.elements, as: .float32)
    }
    try writer.write(to: target + "/adapter_model.safetensors")
    let configuration = target + "/adapter_config.json"
    let text = try String(contentsOfFile: configuration, encoding: .utf8)
    let changed = text.replacing("\"pissa\"", with: "true").replacing("\"r\": 4", with: "\"r\": 8")
      .replacing("\"lora_alpha\": 8", with: "\"lora_alpha\": 16")
    try #require(changed != text)
    try PendingFile.write(changed, to: configuration)
  }

  private func rows(_ source: String, initial: String?) throws -> (rows: [String: SpectrumRow], accuracy: Double) {
    let options = MeasurementOptions(
      source: source, base: reference.base, initial: initial, output: folder.path("a.h5"))
    let analysis = try MeasurementPlan(options).run(options).analysis
    let rows = analysis.rows.map { ("\($0.step) \($0.module) \($0.delta.rawValue)", $0) }
    return (Dictionary(uniqueKeysWithValues: rows), analysis.findings.first { $0.code == "SP507" }?.value ?? 0)
  }

  /// A start that is computed again is the one that training took only to the accuracy that the finding states.
  @Test(arguments: [true, false]) func changesNothingButTheRank(isInitialGiven: Bool) throws {
    let initial = isInitialGiven ? reference.initial : nil
    let (plain, accuracy) = try rows(reference.source, initial: initial)
    let (converted, _) = try rows(try convertedRun(), initial: initial)
    #expect((accuracy == 0) == isInitialGiven)
    #expect(Set(plain.keys) == Set(converted.keys))
    for (name, row) in plain {
      let norm = try #require(row.metrics[.frobeniusNorm])
      let found = try #require(converted[name]?.metrics[.frobeniusNorm])
      let baseNorm = norm > 0 ? norm / (row.metrics[.relativeNorm] ?? 1) : 0
      #expect(abs(found - norm) <= 1e-9 * norm + accuracy * baseNorm, "\(name): \(found), expected \(norm)")
    }
    #expect(converted.values.filter { $0.step == 20 }.allSatisfy { $0.method == "lora" })
    #expect(converted.values.filter { $0.step == 10 }.allSatisfy { $0.method == "pissa" })
  }

  @Test func anInitialAdapterThatLacksAModule() throws {
    let source = ReferenceCase.named("continued-initial")
    let lacking = folder.path("initial")
    try FileManager.default.copyItem(atPath: source.initial!, toPath: lacking)
    let whole = try AdapterFolder(path: lacking)
    let left = whole.modules[0].path
    var writer = SafetensorsWriter(metadata: [:])
    for (name, entry) in whole.weights.tensors where !name.contains(left + ".") {
      writer.add(name, shape: entry.shape, try whole.weights.read(name, as: Double.self), as: .float32)
    }
    try writer.write(to: lacking + "/adapter_model.safetensors")
    let options = MeasurementOptions(
      source: source.source, base: source.base, initial: lacking, output: folder.path("b.h5"))
    let analysis = try MeasurementPlan(options).run(options).analysis
    #expect(!analysis.rows.contains { $0.module == left && $0.delta == .initial })
    #expect(analysis.rows.contains { $0.module == left && $0.delta == .pretrained })
    #expect(analysis.findings.contains { $0.code == "SP502" })
  }
}
