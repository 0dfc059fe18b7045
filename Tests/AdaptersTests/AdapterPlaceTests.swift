import Adapters
import Foundation
import LinearAlgebra
import TestSupport
import Testing
import Weights

/// Where checkpoints lie that are no PEFT folders: MLX's files, whole models, verl's shards.
@Suite struct AdapterPlaceTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func write(_ name: String, _ tensors: [(String, [Int], [Double])]) throws {
    try FileManager.default.createDirectory(
      atPath: URL(fileURLWithPath: folder.path(name)).deletingLastPathComponent().path,
      withIntermediateDirectories: true)
    var writer = SafetensorsWriter()
    for (name, shape, values) in tensors { writer.add(name, shape: shape, values, as: .float32) }
    try writer.write(to: folder.path(name))
  }

  private func numbers(_ count: Int) -> [Double] { (0..<count).map { Double($0 + 1) } }

  // MARK: MLX

  private func writeMLX(_ name: String, scale: String = #", "scale": 20.0"#, type: String = "lora", extra: Double = 0)
    throws
  {
    try folder.write(
      "adapter_config.json",
      #"{"fine_tune_type": "\#(type)", "model": "m", "num_layers": 1, "lora_parameters": {"rank": 2, "dropout": 0.0\#(scale)}}"#
    )
    var tensors = [
      ("model.layers.0.q.lora_a", [4, 2], numbers(8).map { $0 + extra }),
      ("model.layers.0.q.lora_b", [2, 3], numbers(6)),
    ]
    if type == "dora" { tensors.append(("model.layers.0.q.m", [3], numbers(3))) }
    try write(name, tensors)
  }

  @Test func mlxStoresFactorsTransposedAndItsScaleItself() throws {
    try writeMLX("adapters.safetensors")
    let adapter = try AdapterFolder(path: folder.path)
    let module = try #require(adapter.modules.first)
    #expect(module.path == "model.layers.0.q" && (module.rows, module.columns) == (3, 4) && module.rank == 2)
    #expect(module.scaling == 20 && adapter.remarks.isEmpty && adapter.method == .lora)
    let match = ModuleMatcher.Match(module: module.path, tensor: module.path + ".weight", rows: 3, columns: 4)
    let factors = try #require(try adapter.weight(of: module, at: match) as? LoRAFactors)
    #expect(factors.a.elements == [1, 3, 5, 7, 2, 4, 6, 8] && factors.b.elements == [1, 4, 2, 5, 3, 6])
  }

  @Test func mlxHasDoRAAndADefaultScale() throws {
    try writeMLX("adapters.safetensors", scale: "", type: "dora")
    let adapter = try AdapterFolder(path: folder.path)
    #expect(adapter.method == .dora && adapter.modules[0].scaling == 20)
    #expect(adapter.remarks.map(\.kind) == [.alphaIsMissing])
  }

  @Test func numberedFilesAreASeries() throws {
    for step in [200, 100, 1000] {
      try writeMLX(
        "\(String(repeating: "0", count: 7 - "\(step)".count))\(step)_adapters.safetensors", extra: Double(step))
    }
    try writeMLX("adapters.safetensors", extra: 1000)
    let series = try CheckpointSeries(path: folder.path)
    #expect(series.layout == .mlx && series.checkpoints.map(\.step) == [100, 200, 1000])
    #expect(series.remarks.isEmpty, "the latest weights are those of step 1000")
    #expect(try AdapterFolder(series.checkpoints[1].place).weights.path == folder.path("0000200_adapters.safetensors"))
    try writeMLX("adapters.safetensors", extra: 1001)
    #expect(try CheckpointSeries(path: folder.path).remarks.map(\.kind) == [.notAnalysed])
  }

  @Test func mlxTrainsWholeWeightsToo() throws {
    try folder.write("adapter_config.json", #"{"fine_tune_type": "full", "lora_parameters": null}"#)
    try write("adapters.safetensors", [("model.layers.0.q.weight", [3, 4], numbers(12))])
    let adapter = try AdapterFolder(path: folder.path)
    #expect(adapter.method == .full && adapter.modules.map(\.isWhole) == [true])
  }

  // MARK: Whole models

  @Test func wholeModelsAreASeries() throws {
    for step in [5, 10] {
      try write(
        "checkpoint-\(step)/model.safetensors",
        [
          ("model.embed_tokens.weight", [5, 4], numbers(20)), ("model.q.weight", [3, 4], numbers(12)),
          ("model.norm.weight", [4], numbers(4)), ("model.q.bias", [3], numbers(3)),
        ])
    }
    let series = try CheckpointSeries(path: folder.path)
    #expect(series.layout == .huggingFaceTrainer && series.checkpoints.map(\.step) == [5, 10])
    let adapter = try AdapterFolder(series.checkpoints[0].place)
    #expect(adapter.method == .full && adapter.modules.map(\.path) == ["model.embed_tokens", "model.q"])
    #expect(adapter.modules.map(\.rows) == [4, 3])
    #expect(adapter.remarks.map(\.value) == [2], "one remark for all that is no matrix")
    #expect(try CheckpointSeries(path: folder.path("checkpoint-5")).layout == .weightsFolder)
  }

  @Test func anAdapterBesideAModelIsAnAdapter() throws {
    try write("checkpoint-5/model.safetensors", [("q.weight", [3, 4], numbers(12))])
    try folder.write("checkpoint-5/adapter_config.json", "{}")
    #expect(try CheckpointSeries(path: folder.path).checkpoints[0].place.form == .peft)
  }

  /// GPT-2's Conv1D is stored input × output, in the checkpoint as in the base.
  @Test func conv1DOfAWholeModelIsTransposed() throws {
    try write("model.safetensors", [("h.0.attn.c_attn.weight", [2, 3], numbers(6))])
    let adapter = try AdapterFolder(path: folder.path)
    let matcher = ModuleMatcher(shapes: ["h.0.attn.c_attn.weight": [2, 3]], modelType: "gpt2")
    let match = try matcher.match(adapter.modules[0], isFanInFanOut: false)
    #expect(match.isTransposed && match.rows == 3)
    var module = adapter.modules[0]
    (module.rows, module.columns) = (match.rows, match.columns)
    let weight = try #require(try adapter.weight(of: module, at: match) as? WholeWeight)
    #expect(weight.matrix == Matrix(rows: 3, columns: 2, elements: [1, 4, 2, 5, 3, 6]))
  }
}
