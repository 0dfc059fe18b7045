import Foundation
import LinearAlgebra
import OrderedCollections
import TestSupport
import Testing
import Training
import Weights

@Suite struct PretrainedModelTests {
  private static let names = ["qwen2", "qwen2-untied", "llama", "llama-bias"]

  private static func folder(of name: String) -> String { ReferenceCase.folder + "/training/models/" + name }

  // MARK: References

  @Test(arguments: names)
  func everyTensorOfAReferenceModelIsReadToItsPlace(name: String) throws {
    let model = try PretrainedModel(path: Self.folder(of: name))
    let base = try BaseModel(path: Self.folder(of: name))
    #expect(model.tokenizer == nil)
    #expect(Set(model.layout.entries.map(\.name)) == Set(base.tensorNames))
    #expect(model.parameters.count == model.layout.count)
    for entry in model.layout.entries {
      #expect(try base.shape(of: entry.name) == entry.shape)
      #expect(try base.read(entry.name, as: Float.self) == Array(model.values(of: entry)), "\(entry.name)")
    }
  }

  /// The number of weights, and the first and last value of one tensor, as numpy reads them.
  @Test(arguments: [
    ("qwen2", 16_576, "model.layers.1.self_attn.k_proj.bias", [16], 0x1.2cap-4 as Float, 0x1.9d5944p-3 as Float),
    ("qwen2-untied", 16_448, "lm_head.weight", [29, 32], -0x1.731fbap-2, 0x1.ca432ep-4),
    ("llama", 23_520, "model.layers.0.mlp.down_proj.weight", [32, 48], -0x1.218fcap-4, -0x1.f6dfc6p-6),
    ("llama-bias", 18_752, "model.layers.1.self_attn.o_proj.bias", [32], 0x1.587116p-2, -0x1.7363ap-3),
  ])
  func valuesAreThoseOfTheFile(
    name: String, count: Int, tensor: String, shape: [Int], first: Float, last: Float
  ) throws {
    let model = try PretrainedModel(path: Self.folder(of: name))
    #expect(model.parameters.count == count)
    let entry = try #require(model.layout.entries.first { $0.name == tensor })
    #expect(entry.shape == shape)
    #expect(model.values(of: entry).first == first && model.values(of: entry).last == last)
  }

  /// The layout puts q, k, v behind each other, and gate and up: what one product needs.
  @Test(arguments: names)
  func tensorsOfOneProductFollowEachOther(name: String) throws {
    let layout = try PretrainedModel(path: Self.folder(of: name)).layout
    let ends = Dictionary(uniqueKeysWithValues: layout.entries.map { ($0.name, $0.range) })
    for layer in 0..<2 {
      let prefix = "model.layers.\(layer)."
      for (first, second) in [
        ("self_attn.q_proj.weight", "self_attn.k_proj.weight"), ("self_attn.k_proj.weight", "self_attn.v_proj.weight"),
        ("mlp.gate_proj.weight", "mlp.up_proj.weight"),
      ] {
        #expect(ends[prefix + first]?.upperBound == ends[prefix + second]?.lowerBound)
      }
    }
    #expect(layout.entries.last?.range.upperBound == layout.count)
  }

  @Test(arguments: names)
  func aFolderIsWrittenWithTheSameBytes(name: String) throws {
    let folder = try TemporaryFolder()
    let out = folder.path("deep/base")
    try PretrainedModel(path: Self.folder(of: name)).write(to: out)
    let ours = try TensorFile(path: out + "/model.safetensors")
    let theirs = try TensorFile(path: Self.folder(of: name) + "/model.safetensors")
    #expect(ours.metadata == ["format": "pt"])
    #expect(Set(ours.tensors.keys) == Set(theirs.tensors.keys))
    for (tensor, entry) in ours.tensors {
      #expect(entry.elementType.rawValue == "F32" && entry.shape == theirs.tensors[tensor]?.shape)
      #expect(try ours.readBytes(tensor) == theirs.readBytes(tensor), "\(tensor)")
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: out).sorted() == ["config.json", "model.safetensors"])
  }

  @Test func shardsOfAnotherTypeAreReadAsFloat32() throws {
    let path = ReferenceCase.folder + "/bases/llama"
    let model = try PretrainedModel(path: path)
    let base = try BaseModel(path: path)
    for entry in model.layout.entries {
      #expect(try base.entry(entry.name).elementType.rawValue == "BF16")
      #expect(try base.read(entry.name, as: Float.self) == Array(model.values(of: entry)), "\(entry.name)")
    }
  }
}

// MARK: - Round trip

extension PretrainedModelTests {
  private static let small = DecoderConfiguration(
    vocabularySize: 29, hiddenSize: 8, intermediateSize: 12, layerCount: 2, headCount: 2, keyValueHeadCount: 1)

  private static func model(_ configuration: DecoderConfiguration = small) -> PretrainedModel {
    var generator = SeededGenerator(seed: 1)
    let count = DecoderLayout(configuration).count
    return PretrainedModel(
      configuration, parameters: (0..<count).map { _ in Float(generator.normal()) }, tokenizer: .tasks)
  }

  @Test func aModelWithATokenizerReadsBackAsItself() throws {
    let folder = try TemporaryFolder()
    let model = Self.model()
    try model.write(to: folder.path)
    let found = try PretrainedModel(path: folder.path)
    #expect(found.configuration == model.configuration)
    #expect(found.parameters == model.parameters)
    #expect(found.tokenizer == .tasks)
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
    #expect(
      names == [
        "config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json",
      ])
  }

  @Test func theEndOfASequenceIsInEveryFileThatTransformersAsks() throws {
    let folder = try TemporaryFolder()
    try Self.model().write(to: folder.path)
    for name in ["config.json", "generation_config.json"] {
      let json = try JSONValue(contentsOf: folder.path(name))
      #expect(json["eos_token_id"] == 16 && json["pad_token_id"] == 0, "\(name)")
    }
    let tokenizer = try JSONValue(contentsOf: folder.path("tokenizer_config.json"))
    #expect(tokenizer["eos_token"] == ";" && tokenizer["pad_token"] == "_")
    #expect(tokenizer["model_max_length"] == 256)
  }

  @Test func aFolderIsReplaced() throws {
    let folder = try TemporaryFolder()
    try Self.model().write(to: folder.path)
    var other = Self.model()
    other.parameters[0] = 42
    try other.write(to: folder.path)
    #expect(try PretrainedModel(path: folder.path).parameters == other.parameters)
  }

  @Test func aFolderThatCannotBeMadeIsNamed() throws {
    let folder = try TemporaryFolder()
    let file = try folder.write("file", "")
    let error = try #require(throws: FileError.self) { try Self.model().write(to: file + "/base") }
    #expect(error.kind == .cannotCreate && error.path == file + "/base")
  }
}

// MARK: - Refusals

extension PretrainedModelTests {
  private typealias Tensors = [String: (shape: [Int], values: [Float])]

  /// Writes the small model's folder with changed tensors and reads it.
  private static func read(
    _ configuration: DecoderConfiguration = small, _ change: (inout Tensors) -> Void
  ) throws -> PretrainedModel {
    let folder = try TemporaryFolder()
    let model = model(configuration)
    try model.write(to: folder.path)
    var tensors = Tensors()
    for entry in model.layout.entries { tensors[entry.name] = (entry.shape, Array(model.values(of: entry))) }
    change(&tensors)
    var writer = SafetensorsWriter()
    for (name, tensor) in tensors.sorted(by: { $0.key < $1.key }) {
      writer.add(name, shape: tensor.shape, tensor.values)
    }
    try writer.write(to: folder.path("model.safetensors"))
    return try PretrainedModel(path: folder.path)
  }

  private static func error(
    _ configuration: DecoderConfiguration = small, _ change: (inout Tensors) -> Void
  ) throws -> FileError {
    try #require(throws: FileError.self) { try read(configuration, change) }
  }

  @Test func missingAndUnexpectedTensorsAreNamed() throws {
    let missing = try Self.error { $0["model.norm.weight"] = nil }
    #expect(missing.object == "tensors" && missing.kind == .badContent)
    #expect(missing.problem == #"expected the 26 that config.json describes, found 1 missing ("model.norm.weight")"#)
    #expect(missing.remedy == "Give the folder of a whole qwen2 model and its own configuration")
    let unexpected = try Self.error { $0["score.weight"] = ([1], [1]) }
    #expect(unexpected.problem == #"expected the 26 that config.json describes, found 1 unexpected ("score.weight")"#)
    let renamed = try Self.error { tensors in
      tensors = Dictionary(uniqueKeysWithValues: tensors.map { ($0.key.replacing("model.", with: "net."), $0.value) })
    }
    #expect(
      renamed.problem == "expected the 26 that config.json describes, found 26 missing ("
        + #""model.embed_tokens.weight", "model.layers.0.input_layernorm.weight", "#
        + #""model.layers.0.self_attn.q_proj.weight" and 23 more) and 26 unexpected ("net.embed_tokens.weight", "#
        + #""net.layers.0.input_layernorm.weight", "net.layers.0.mlp.down_proj.weight" and 23 more)"#)
  }

  @Test func aMissingHeadPointsToTheTie() throws {
    var untied = Self.small
    untied.tiesEmbeddings = false
    let error = try Self.error(untied) { $0["lm_head.weight"] = nil }
    #expect(error.problem == #"expected the 27 that config.json describes, found 1 missing ("lm_head.weight")"#)
    #expect(error.remedy == "Set tie_word_embeddings to true if the output head is the embedding")
  }

  @Test func aHeadBesideTiedEmbeddingsMustRepeatThem() throws {
    let model = try Self.read { $0["lm_head.weight"] = $0["model.embed_tokens.weight"] }
    #expect(model.parameters == Self.model().parameters)
    let error = try Self.error { tensors in
      tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"]
      tensors["lm_head.weight"]?.values[7] += 1
    }
    #expect(error.object == #"tensor "lm_head.weight""#)
    #expect(error.problem == "expected the embedding, to which config.json ties it, found other values")
    #expect(error.remedy == "Set tie_word_embeddings to false if the model has an output head of its own")
  }

  @Test func buffersOfRotaryFrequenciesArePassedOver() throws {
    let model = try Self.read { tensors in
      tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = ([2], [1, 0.01])
      tensors["model.rotary_emb.inv_freq"] = ([2], [1, 0.01])
    }
    #expect(model.parameters == Self.model().parameters)
  }

  @Test func anotherShapeIsRefused() throws {
    let error = try Self.error { $0["model.layers.1.mlp.down_proj.weight"]?.shape = [12, 8] }
    #expect(error.object == #"tensor "model.layers.1.mlp.down_proj.weight""#)
    #expect(error.problem == "expected shape [8, 12], as config.json says, found [12, 8]")
    #expect(error.path.hasSuffix("/model.safetensors"))
    #expect(error.remedy == "Use the config.json that belongs to these weights")
  }

  @Test(arguments: [Float.nan, .infinity])
  func valuesThatAreNotFiniteAreRefused(value: Float) throws {
    let error = try Self.error { $0["model.layers.0.self_attn.v_proj.bias"]?.values[3] = value }
    #expect(error.kind == .nonFinite && error.object == #"tensor "model.layers.0.self_attn.v_proj.bias""#)
    #expect(error.problem == "expected finite values, found 1 of 4 that is not (first at index 3)")
  }

  /// No layout of a trillion layers is made before the file is looked at.
  @Test func moreLayersThanTensorsAreRefusedAtOnce() throws {
    let folder = try TemporaryFolder()
    let model = Self.model()
    try model.write(to: folder.path)
    let text = model.configuration.json().text()
    try folder.write(
      "config.json", text.replacing(#""num_hidden_layers":2"#, with: #""num_hidden_layers":100000000000"#))
    let error = try #require(throws: FileError.self) { try PretrainedModel(path: folder.path) }
    #expect(error.problem == "expected tensors of 100000000000 layers, found only 26 tensors")
    #expect(error.remedy == "Check num_hidden_layers in config.json")
  }

  @Test func aVocabularyLargerThanTheModelIsRefused() throws {
    var configuration = Self.small
    configuration.vocabularySize = 30
    let folder = try TemporaryFolder()
    try Self.model(configuration).write(to: folder.path)
    #expect(try PretrainedModel(path: folder.path).configuration.vocabularySize == 30)
    configuration.vocabularySize = 28
    try folder.write("config.json", configuration.json().text())
    let error = try #require(throws: FileError.self) { try PretrainedModel(path: folder.path) }
    #expect(error.path == folder.path("tokenizer.json") && error.object == "model.vocab")
    #expect(error.problem == "expected at most 28 tokens, as config.json says, found 29")
  }

  @Test func aTokenizerOfAnotherKindIsRefused() throws {
    let folder = try TemporaryFolder()
    try Self.model().write(to: folder.path)
    try folder.write("tokenizer.json", #"{"model": {"type": "BPE", "vocab": {"a": 0}, "merges": ["a b"]}}"#)
    let error = try #require(throws: FileError.self) { try PretrainedModel(path: folder.path) }
    #expect(error.path == folder.path("tokenizer.json") && error.object == "model.type")
    #expect(error.problem == #"expected "WordLevel", with one token a character, found "BPE""#)
    #expect(
      error.remedy == "Training needs one token a character so far; make such a base with: spectroscope pretrain")
  }

  @Test func aFolderWithoutWeightsIsRefused() throws {
    let folder = try TemporaryFolder()
    try folder.write("config.json", Self.small.json().text())
    let error = try #require(throws: FileError.self) { try PretrainedModel(path: folder.path) }
    #expect(error.kind == .badContent && error.path == folder.path)
  }
}
