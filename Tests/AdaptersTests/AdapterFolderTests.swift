import Adapters
import LinearAlgebra
import TestSupport
import Testing
import Weights

@Suite struct AdapterFolderTests {
  private let writer: AdapterWriter

  init() throws { writer = try AdapterWriter() }

  private func read(
    fields: String = #""r": 2, "lora_alpha": 4"#, _ tensors: AdapterWriter.Tensor...
  ) throws -> AdapterFolder {
    try writer.write(fields: fields, tensors)
    return try writer.read()
  }

  private let prefix = "base_model.model."

  // MARK: Names

  @Test(arguments: [
    ("base_model.model.", ".weight"), ("base_model.model.", ".default.weight"), ("", ".weight"),
    ("base_model.", ".weight"),
  ])
  func prefixesAndTheDefaultAdaptersNameAreTakenOut(prefix: String, suffix: String) throws {
    let adapter = try read(
      tensor(prefix + "encoder.0.q_proj.lora_A" + suffix, 2, 6),
      tensor(prefix + "encoder.0.q_proj.lora_B" + suffix, 4, 2, format: .bfloat16))
    let module = try #require(adapter.modules.first)
    #expect(adapter.modules.count == 1 && adapter.remarks.isEmpty && adapter.skippedModules.isEmpty)
    #expect(module.path == "encoder.0.q_proj")
    #expect((module.rows, module.columns) == (4, 6) && module.rank == 2)
    #expect(module.format == .bfloat16, "the coarser of the two decides the floor")
    let factors = try adapter.factors(of: module)
    #expect(factors.b == Matrix(rows: 4, columns: 2, elements: (1...8).map(Double.init)))
    #expect(factors.a == Matrix(rows: 2, columns: 6, elements: (1...12).map(Double.init)))
    #expect(factors.scaling == 2)
  }

  @Test(arguments: ["", ".default"]) func embeddingsHaveTheVocabularyOnTheRight(suffix: String) throws {
    let adapter = try read(
      tensor(prefix + "model.embed_tokens.lora_embedding_A" + suffix, 2, 50),
      tensor(prefix + "model.embed_tokens.lora_embedding_B" + suffix, 6, 2),
      tensor(prefix + "model.embed_tokens.base_layer.weight", 50, 6))
    let module = try #require(adapter.modules.first)
    #expect(adapter.modules.count == 1 && adapter.remarks.isEmpty)
    #expect((module.rows, module.columns) == (6, 50) && module.rank == 2)
    #expect(module.isEmbedding && module.isLoRA)
  }

  @Test(arguments: ["lm_head.weight", "lm_head.modules_to_save.default.weight"])
  func wholeWeightsAreModules(name: String) throws {
    let adapter = try read(tensor(prefix + name, 3, 2))
    let module = try #require(adapter.modules.first)
    #expect(module.path == "lm_head" && module.rank == nil)
    #expect((module.rows, module.columns) == (3, 2))
    #expect(try adapter.savedWeight(of: module) == Matrix(rows: 3, columns: 2, elements: [1, 2, 3, 4, 5, 6]))
  }

  @Test func wholeEmbeddingsAreTransposed() throws {
    let adapter = try read(tensor(prefix + "model.embed_tokens.weight", 3, 2))
    let module = try #require(adapter.modules.first)
    #expect((module.rows, module.columns) == (2, 3))
    #expect(try adapter.savedWeight(of: module) == Matrix(rows: 2, columns: 3, elements: [1, 3, 5, 2, 4, 6]))
  }

  @Test func modulesComeInTheOrderOfTheirPaths() throws {
    let adapter = try read(
      tensor("b.lora_A.weight", 2, 6), tensor("b.lora_B.weight", 4, 2), tensor("a.weight", 4, 4),
      tensor("c.lora_B.weight", 4, 2), tensor("c.lora_A.weight", 2, 6))
    #expect(adapter.modules.map(\.path) == ["a", "b", "c"])
  }

  // MARK: What is left out

  @Test(arguments: [".lora_B.bias", ".lora_B.default.bias"]) func aBiasOfBIsLeftOutAndSaid(suffix: String) throws {
    let adapter = try read(
      tensor("q.lora_A.weight", 2, 6), tensor("q.lora_B.weight", 4, 2), tensor("q" + suffix, 4))
    #expect(adapter.modules.map(\.path) == ["q"])
    #expect(adapter.remarks.map(\.message) == ["q: the trained bias of lora_B is left out"])
    #expect(adapter.remarks.map(\.kind) == [.notAnalysed])
  }

  @Test(arguments: [
    ([2, 6, 3, 3], [4, 2, 1, 1], "expected matrices, found tensors of 4 dimensions (a convolution?)"),
    ([2, 6], [4, 3], "lora_A of [2, 6] and lora_B of [4, 3] do not fit each other"),
  ])
  func shapesThatDoNotFitAreSkipped(a: [Int], b: [Int], reason: String) throws {
    let adapter = try read(("q.lora_A.weight", a, .float32), ("q.lora_B.weight", b, .float32))
    #expect(adapter.modules.isEmpty && adapter.skippedModules == ["q"])
    #expect(adapter.remarks.map(\.message) == ["q: " + reason])
    #expect(adapter.remarks.map(\.kind) == [.notAnalysed] && adapter.remarks.map(\.module) == ["q"])
  }

  @Test func oneFactorAloneIsSkipped() throws {
    let adapter = try read(tensor("q.lora_B.weight", 4, 2))
    #expect(adapter.remarks.map(\.message) == ["q: expected both lora_A and lora_B, found one of them"])
  }

  @Test func tensorsOfOtherKindsAreRemarkedOn() throws {
    let adapter = try read(
      tensor("q.lora_A.weight", 2, 6), tensor("q.lora_B.weight", 4, 2), tensor("norm.weight", 6), tensor("q.bias", 4))
    #expect(adapter.modules.map(\.path) == ["q"])
    #expect(adapter.remarks.map(\.kind) == [.notAnalysed, .notAnalysed])
  }

  // MARK: Configuration against weights

  @Test func aRankOffTheConfigurationIsRemarkedOn() throws {
    let adapter = try read(
      fields: #""r": 3, "lora_alpha": 6"#, tensor("q.lora_A.weight", 2, 6), tensor("q.lora_B.weight", 4, 2))
    #expect(adapter.remarks.map(\.kind) == [.rankOffConfiguration] && adapter.remarks.map(\.value) == [2])
    #expect(try adapter.factors(of: adapter.modules[0]).scaling == 2, "PEFT would load it with the configuration's")
  }

  @Test func aMissingOrZeroAlphaIsRemarkedOn() throws {
    let tensors = [tensor("q.lora_A.weight", 2, 6), tensor("q.lora_B.weight", 4, 2)]
    try writer.write(fields: #""r": 2"#, tensors)
    #expect(try writer.read().remarks.map(\.kind) == [.alphaIsMissing])
    try writer.write(fields: #""r": 2, "lora_alpha": 0"#, tensors)
    #expect(try writer.read().remarks.map(\.kind) == [.alphaIsZero])
    try writer.write(fields: #""r": 2, "lora_alpha": 4, "alpha_pattern": {"q": 0}"#, tensors)
    #expect(try writer.read().remarks.map(\.kind) == [.alphaIsZero])
  }

  // MARK: Errors

  @Test(arguments: [
    (#""peft_type": "BOFT""#, "peft_type", "which is known but not analysed yet"),
    (#""peft_type": "NEWEST""#, "peft_type", "which is not known"),
    (#""peft_type": "LORA", "layer_replication": [[0, 2]]"#, "layer_replication", "known but not analysed yet"),
  ])
  func methodsThatAreNotAnalysedAreNamed(fields: String, object: String, problem: String) throws {
    try writer.write()
    try writer.folder.write(PEFTConfiguration.fileName, "{\(fields)}")
    let error = try #require(throws: FileError.self) { try writer.read() }
    #expect(error.kind == .badContent && error.object == object)
    #expect(error.problem.contains(problem))
  }

  @Test func missingWeightsAreNamed() throws {
    try writer.folder.write("none/adapter_config.json", #"{"peft_type": "LORA"}"#)
    let none = try #require(throws: FileError.self) { try writer.read("none") }
    #expect(none.problem == "expected adapter_model.safetensors beside adapter_config.json, found none")
    try writer.folder.write("none/adapter_model.bin", "torch")
    let pickle = try #require(throws: FileError.self) { try writer.read("none") }
    #expect(pickle.path.hasSuffix("/adapter_model.bin") && pickle.kind == .badContent)
  }

  @Test func valuesThatAreNotFiniteAreRefused() throws {
    try writer.write(fields: #""r": 1"#)
    var weights = SafetensorsWriter()
    weights.add("q.lora_A.weight", shape: [1, 2], [1.0, .nan], as: .bfloat16)
    weights.add("q.lora_B.weight", shape: [2, 1], [1.0, 1], as: .bfloat16)
    try weights.write(to: writer.folder.path(AdapterFolder.weightsName))
    let adapter = try writer.read()
    #expect(throws: FileError.self) { try adapter.factors(of: adapter.modules[0]) }
  }
}
