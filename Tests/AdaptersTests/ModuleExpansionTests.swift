import Adapters
import LinearAlgebra
import TestSupport
import Testing
import Weights

/// Which weights a trained norm changes, and where experts lie.
@Suite struct ModuleExpansionTests {
  private let writer: AdapterWriter

  init() throws { writer = try AdapterWriter() }

  private func norm(_ path: String, _ size: Int = 4) throws -> AdapterFolder.Module {
    try writer.folder.write(PEFTConfiguration.fileName, #"{"peft_type": "LN_TUNING"}"#)
    var weights = SafetensorsWriter()
    weights.add(path + ".ln_tuning_layers.weight", shape: [size], [Double](repeating: 1, count: size), as: .float32)
    try weights.write(to: writer.folder.path(AdapterFolder.weightsName))
    return try writer.read().modules[0]
  }

  private func consumers(of path: String, _ family: String, _ shapes: [String: [Int]], ties: Bool = false) throws
    -> [ModuleMatcher.Match]
  {
    try ModuleMatcher(shapes: shapes, tiesEmbeddings: ties, modelType: family).matches(norm(path), isFanInFanOut: false)
  }

  private let llama = [
    "model.layers.0.input_layernorm.weight": [4], "model.layers.0.post_attention_layernorm.weight": [4],
    "model.layers.0.self_attn.q_norm.weight": [4], "model.norm.weight": [4],
    "model.layers.0.pre_feedforward_layernorm.weight": [4],
    "model.layers.0.self_attn.q_proj.weight": [6, 4], "model.layers.0.self_attn.k_proj.weight": [2, 4],
    "model.layers.0.self_attn.v_proj.weight": [2, 4], "model.layers.0.mlp.gate_proj.weight": [8, 4],
    "model.layers.0.mlp.up_proj.weight": [8, 4], "model.embed_tokens.weight": [9, 4],
  ]

  @Test func llamaFamilies() throws {
    let attention = try consumers(of: "model.layers.0.input_layernorm", "qwen2", llama)
    #expect(attention.map(\.module) == ["q_proj", "k_proj", "v_proj"].map { "model.layers.0.self_attn." + $0 })
    #expect(attention.map(\.rows) == [6, 2, 2])
    #expect(attention[0].norm?.tensor == "model.layers.0.input_layernorm.weight" && attention[0].norm?.offset == 0)
    let feedForward = try consumers(of: "model.layers.0.post_attention_layernorm", "llama", llama)
    #expect(feedForward.map(\.module) == ["model.layers.0.mlp.gate_proj", "model.layers.0.mlp.up_proj"])
    let output = try consumers(of: "model.norm", "mistral", llama, ties: true)
    #expect(output.map(\.module) == ["lm_head"] && output[0].tensor == "model.embed_tokens.weight")
  }

  @Test func gemmaStoresItsGainsLessOne() throws {
    #expect(try consumers(of: "model.layers.0.input_layernorm", "gemma", llama)[0].norm?.offset == 1)
    #expect(try consumers(of: "model.layers.0.pre_feedforward_layernorm", "gemma3_text", llama).count == 2)
    // Behind attention, where it is the norm in front of the feed-forward layers in other families.
    #expect(throws: ModuleMatcher.Mismatch.self) {
      try consumers(of: "model.layers.0.post_attention_layernorm", "gemma2", llama)
    }
  }

  @Test(arguments: [("model.layers.0.self_attn.q_norm", "qwen3"), ("model.layers.0.input_layernorm", "novel")])
  func normsWithoutWeightsBehindThem(path: String, family: String) throws {
    #expect(throws: ModuleMatcher.Mismatch.self) { try consumers(of: path, family, llama) }
  }

  @Test func conv1DIsInputByOutput() throws {
    let shapes = ["h.0.ln_1.weight": [4], "h.0.attn.c_attn.weight": [4, 12]]
    let found = try consumers(of: "transformer.h.0.ln_1", "gpt2", shapes)
    #expect(found.map(\.module) == ["h.0.attn.c_attn"] && found[0].isTransposed && found[0].rows == 12)
  }

  @Test func bertFeedsTheNextLayer() throws {
    let shapes = [
      "encoder.layer.0.output.LayerNorm.weight": [4], "encoder.layer.1.attention.self.query.weight": [4, 4],
    ]
    #expect(
      try consumers(of: "encoder.layer.0.output.LayerNorm", "bert", shapes).map(\.module)
        == ["encoder.layer.1.attention.self.query"])
  }

  // MARK: Experts

  private func experts(_ path: String, _ a: [Int], _ b: [Int]) throws -> AdapterFolder {
    try writer.folder.write(
      PEFTConfiguration.fileName,
      #"{"peft_type": "LORA", "r": 1, "lora_alpha": 2, "target_parameters": ["mlp.experts.gate_up_proj", "mlp.experts.down_proj"]}"#
    )
    var weights = SafetensorsWriter()
    for (name, shape) in [("lora_A", a), ("lora_B", b)] {
      let count = shape[0] * shape[1]
      weights.add("\(path).\(name).weight", shape: shape, (0..<count).map { Double($0 + 1) }, as: .float32)
    }
    try weights.write(to: writer.folder.path(AdapterFolder.weightsName))
    return try writer.read()
  }

  private let fused = [
    "model.layers.0.mlp.experts.gate_up_proj": [2, 6, 4], "model.layers.0.mlp.experts.down_proj": [2, 4, 3],
  ]

  /// A lists experts first, B ranks first.
  @Test func oneModuleAnExpert() throws {
    let adapter = try experts("model.layers.0.mlp.experts.base_layer", [2, 4], [6, 2])
    let module = adapter.modules[0]
    #expect(module.rank == 1 && module.scaling == 2 && adapter.remarks.isEmpty)
    let matches = try ModuleMatcher(shapes: fused).matches(module, isFanInFanOut: false)
    #expect(matches.map(\.module) == [0, 1].map { "model.layers.0.mlp.experts.gate_up_proj.\($0)" })
    #expect(matches.map(\.expert) == [0, 1] && matches.allSatisfy { !$0.isTransposed })
    let second = try #require(try adapter.weight(of: module, at: matches[1]) as? LoRAFactors)
    #expect(second.a.elements == [5, 6, 7, 8] && second.b.elements == [2, 4, 6, 8, 10, 12])
  }

  @Test func expertsStoredInputByOutputOrOneByOne() throws {
    let module = try experts("model.layers.0.mlp.experts", [2, 3], [4, 2]).modules[0]
    let transposed = ["model.layers.0.mlp.experts.down_proj": [2, 3, 4]]
    #expect(try ModuleMatcher(shapes: transposed).matches(module, isFanInFanOut: false).allSatisfy(\.isTransposed))
    let gateUp = try experts("model.layers.0.mlp.experts", [2, 4], [6, 2]).modules[0]
    var split: [String: [Int]] = [:]
    for expert in 0..<2 {
      for (name, shape) in [("gate_proj", [3, 4]), ("up_proj", [3, 4]), ("down_proj", [4, 3])] {
        split["model.layers.0.mlp.experts.\(expert).\(name).weight"] = shape
      }
    }
    let matches = try ModuleMatcher(shapes: split).matches(gateUp, isFanInFanOut: false)
    #expect(matches[1].tensor == "model.layers.0.mlp.experts.1.gate_proj.weight")
    #expect(matches[1].stacked == ["model.layers.0.mlp.experts.1.up_proj.weight"])
  }
}
