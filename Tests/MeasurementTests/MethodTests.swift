import Adapters
import Diagnosis
import Foundation
import Measurement
import OrderedCollections
import RunStore
import Spectra
import TestSupport
import Testing
import Weights

/// Sources of every kind, from their files to rows.
@Suite struct MethodTests {
  private let folder: TemporaryFolder
  private let base: String

  init() throws {
    folder = try TemporaryFolder()
    base = folder.path("base")
    try write(
      "base/model.safetensors", [("layers.0.q.weight", [12, 10], numbers(120)), ("n.weight", [10], numbers(10))])
  }

  private func numbers(_ count: Int, by factor: Float = 1) -> [Float] {
    (0..<count).map { (Float(($0 * 7) % 13) / 8 - 0.7) * factor }
  }

  private func write(_ name: String, _ tensors: [(String, [Int], [Float])]) throws {
    let path = folder.path(name)
    try FileManager.default.createDirectory(
      atPath: URL(fileURLWithPath: path).deletingLastPathComponent().path, withIntermediateDirectories: true)
    var writer = SafetensorsWriter()
    for (name, shape, values) in tensors { writer.add(name, shape: shape, values, as: .float32) }
    try writer.write(to: path)
  }

  private func analyse(_ source: String, base: String? = nil) throws -> Analysis {
    let options = MeasurementOptions(
      source: source, base: base ?? self.base, depth: .update, output: folder.path("analysis.h5"))
    let outcome = try MeasurementPlan(options).run(options)
    #expect(outcome.damaged == 0)
    return outcome.analysis
  }

  // MARK: Whole models

  /// What is as it was has rows all the same, and a rounding floor.
  @Test func wholeModelsAreMeasured() throws {
    for (step, factor) in [(5, Float(1)), (10, 1.5)] {
      try write(
        "run/checkpoint-\(step)/model.safetensors",
        [
          ("layers.0.q.weight", [12, 10], numbers(120, by: factor)), ("n.weight", [10], numbers(10)),
          ("lm_head.weight", [3, 10], numbers(30)),
        ])
    }
    let analysis = try analyse(folder.path("run"))
    #expect(Set(analysis.rows.map(\.method)) == ["full"] && Set(analysis.rows.map(\.module)) == ["layers.0.q"])
    let (still, moved) = (analysis.row(5, "layers.0.q", .initial), analysis.row(10, "layers.0.q", .previous))
    #expect(still?.metrics[.frobeniusNorm] == 0 && still?.metrics[.roundingFloor] ?? 0 > 0)
    #expect(abs(try #require(moved?.metrics[.relativeNorm]) - 0.5) < 1e-6)
    #expect(analysis.findings.map(\.code).allSatisfy { $0 == "SP109" }, "\(analysis.findings)")
  }

  // MARK: verl, torch files

  private let readers = ReferenceCase.folder + "/readers"

  private func copyShards(_ name: String, meta: String?) throws -> String {
    let actor = folder.path("run/global_step_5/actor")
    try FileManager.default.createDirectory(
      atPath: folder.path("run/global_step_5"), withIntermediateDirectories: true)
    try FileManager.default.copyItem(atPath: "\(readers)/\(name)/actor", toPath: actor)
    if let meta { try folder.write("run/global_step_5/actor/lora_train_meta.json", meta) }
    return folder.path("run")
  }

  /// The state that FSDP saved holds the base beside the adapter, which is no whole weight that was trained.
  @Test func shardsOfVerl() throws {
    let run = try copyShards("fsdp2", meta: #"{"r": 3, "lora_alpha": 6, "task_type": "CAUSAL_LM"}"#)
    let series = try CheckpointSeries(path: run)
    #expect(series.layout == .verl && series.checkpoints.map(\.place.form) == [.shards])
    let adapter = try AdapterFolder(series.checkpoints[0].place)
    #expect(adapter.modules.allSatisfy(\.isLoRA) && !adapter.modules.isEmpty)
    #expect(adapter.configuration.rank == 3 && adapter.configuration.alpha == 6)
    let analysis = try analyse(run, base: readers + "/base")
    #expect(Set(analysis.rows.map(\.step)) == [5] && Set(analysis.rows.map(\.method)) == ["lora"])
  }

  @Test func shardsWithoutMetadataHaveNoAlpha() throws {
    let run = try copyShards("fsdp1", meta: nil)
    let adapter = try AdapterFolder(CheckpointSeries(path: run).checkpoints[0].place)
    #expect(adapter.remarks.contains { $0.kind == .alphaIsMissing })
  }

  @Test func adaptersInTorchFiles() throws {
    let analysis = try analyse(readers + "/adapter", base: readers + "/base")
    // It began at random, which no file tells.
    #expect(!analysis.rows.isEmpty && analysis.findings.map(\.code) == ["SP502"])
  }

  // MARK: What cannot be known

  @Test func veraWithoutItsProjectionsIsRefused() throws {
    try folder.write(
      "run/adapter_config.json", #"{"peft_type": "VERA", "r": 2, "save_projection": false}"#)
    try write(
      "run/adapter_model.safetensors",
      [("layers.0.q.vera_lambda_b", [12], numbers(12)), ("layers.0.q.vera_lambda_d", [2], numbers(2))])
    let error = try #require(throws: FileError.self) { try analyse(folder.path("run")) }
    #expect(
      error.kind == .badContent && error.problem.contains("vera_A") && error.problem.contains("save_projection=True"))
  }

  // MARK: Run folders

  /// m of half as much again, and no direction: W_eff = 1.5·W₀.
  @Test func runsOfDoRAAreMeasured() throws {
    let model = try BaseModel(path: base)
    let weight = try model.read("layers.0.q.weight", as: Float.self)
    let norms = (0..<12).map { i in weight[i * 10..<(i + 1) * 10].reduce(0) { $0 + $1 * $1 }.squareRoot() }
    func snapshot(_ step: Int) -> AdapterSnapshot {
      let tensors: [AdapterSnapshot.Tensor] = [
        .init(name: "lora_A", shape: [2, 10], values: numbers(20)),
        .init(name: "lora_B", shape: [12, 2], values: Array(repeating: 0, count: 24)),
        .init(name: "lora_magnitude_vector", shape: [12], values: norms.map { $0 * (1 + Float(step) / 2) }),
      ]
      return AdapterSnapshot(step: step, modules: ["layers.0.q": tensors])
    }
    let identity = RunIdentity(
      method: "dora", rank: 2, alpha: 4, scaling: 2, seed: 1, task: "t", base: base,
      baseID: try BaseIdentity.sha256(of: model), createdBy: "test")
    let writer = try RunWriter(creating: folder.path("run"), identity: identity, initial: snapshot(0))
    try writer.write(snapshot(1))
    let options = try MeasurementOptions(run: ExtractedRun(of: folder.path("run")), base: base)
    let plan = try MeasurementPlan(options)
    #expect(plan.method == .dora)
    let analysis = try plan.run(options).analysis
    let deltas = analysis.rows.filter { $0.step == 1 }.map(\.delta)
    #expect(deltas == Delta.allCases)
    for delta in [Delta.initial, .initialMagnitude, .pretrained, .previous] {
      let row = try #require(analysis.row(1, "layers.0.q", delta))
      #expect(
        abs(try #require(row.metrics[.relativeNorm]) - 0.5) < 1e-6 && row.method == "dora" && row.metrics[.rank] == 2)
    }
    #expect(analysis.row(1, "layers.0.q", .initialDirection)?.metrics[.frobeniusNorm] == 0)
  }
}
