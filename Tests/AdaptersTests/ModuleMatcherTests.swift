import Adapters
import Testing
import Weights

@Suite struct ModuleMatcherTests {
  /// Any module, to be changed into the one that a test is about.
  private let template: AdapterFolder.Module

  init() throws {
    let writer = try AdapterWriter()
    try writer.write([tensor("q.lora_A.weight", 2, 6), tensor("q.lora_B.weight", 4, 2)])
    template = try writer.read().modules[0]
  }

  private func module(
    _ path: String, _ rows: Int, _ columns: Int, isEmbedding: Bool = false, isSaved: Bool = false
  ) -> AdapterFolder.Module {
    var module = template
    (module.path, module.rows, module.columns) = (path, rows, columns)
    module.isEmbedding = isEmbedding
    if isSaved { module.stored = StoredForm(StoredWhole.self) }
    return module
  }

  /// The base's module that is found for the path among modules of 4 × 6.
  private func found(_ path: String, among modules: String...) throws -> String {
    let shapes = Dictionary(uniqueKeysWithValues: modules.map { ($0 + ".weight", [4, 6]) })
    let match = try ModuleMatcher(shapes: shapes).match(module(path, 4, 6), isFanInFanOut: false)
    #expect(match.tensor == match.module + ".weight" && !match.isTransposed)
    return match.module
  }

  @Test func theSamePathWinsOverLongerOnes() throws {
    #expect(try found("layers.1.q", among: "model.layers.1.q", "layers.1.q", "layers.11.q") == "layers.1.q")
  }

  @Test(arguments: [
    ("model.layers.0.q", "layers.0.q"), ("layers.0.q", "model.layers.0.q"),
    ("model.language_model.layers.0.q", "language_model.model.layers.0.q"),
    ("model.layers.0.q", "model.language_model.layers.0.q"), ("_orig_mod.model.layers.0.q", "module.layers.0.q"),
  ])
  func wrappersArePassedOver(path: String, base: String) throws {
    #expect(try found(path, among: base, "model.visual.layers.0.k", "layers.10.q") == base)
  }

  @Test func aTextTowerIsNotConfusedWithAVisualOne() throws {
    #expect(
      try found("model.layers.0.q", among: "model.visual.layers.0.q", "model.language_model.layers.0.q")
        == "model.language_model.layers.0.q")
  }

  @Test(arguments: ["layers.0.k", "xlayers.0.q", "ayers.0.q", "layers.0.q.more"])
  func partsOfNamesDoNotMatch(path: String) {
    #expect(throws: ModuleMatcher.Mismatch.noSuchModule) { try found(path, among: "model.layers.0.q") }
  }

  @Test func severalFitsAreAmbiguous() {
    #expect(throws: ModuleMatcher.Mismatch.ambiguous(["a.layers.0.q", "b.layers.0.q"])) {
      try found("layers.0.q", among: "b.layers.0.q", "a.layers.0.q")
    }
  }

  @Test func tensorsThatAreNoWeightsAreNoModules() {
    let matcher = ModuleMatcher(shapes: ["q.bias": [4], "q.scale": [4, 6]])
    #expect(throws: ModuleMatcher.Mismatch.noSuchModule) { try matcher.match(module("q", 4, 6), isFanInFanOut: false) }
  }

  @Test func conv1DAndEmbeddingsAreStoredTransposed() throws {
    let matcher = ModuleMatcher(shapes: ["c.weight": [6, 4], "e.weight": [50, 4], "l.weight": [4, 6]])
    #expect(try matcher.match(module("c", 4, 6), isFanInFanOut: true).isTransposed)
    #expect(try matcher.match(module("e", 4, 50, isEmbedding: true), isFanInFanOut: false).isTransposed)
    #expect(try matcher.match(module("e", 4, 50, isEmbedding: true, isSaved: true), isFanInFanOut: false).isTransposed)
    // A whole weight is stored as the base stores it, whatever the LoRA layers of the same adapter do.
    #expect(try !matcher.match(module("l", 4, 6, isSaved: true), isFanInFanOut: true).isTransposed)
  }

  @Test func anotherShapeIsAnotherModel() {
    let matcher = ModuleMatcher(shapes: ["q.weight": [4, 6]])
    #expect(throws: ModuleMatcher.Mismatch.shape(expected: [6, 4], found: [4, 6], tensor: "q.weight")) {
      try matcher.match(module("q", 6, 4), isFanInFanOut: false)
    }
    #expect(throws: ModuleMatcher.Mismatch.shape(expected: [5, 4], found: [4, 6], tensor: "q.weight")) {
      try matcher.match(module("q", 4, 5), isFanInFanOut: true)
    }
  }

  @Test func oneFlagForLayersOfBothKinds() throws {
    let matcher = ModuleMatcher(shapes: ["c.weight": [6, 4], "l.weight": [4, 6]])
    #expect(try matcher.match(module("c", 4, 6), isFanInFanOut: true).isTransposed)
    #expect(try !matcher.match(module("l", 4, 6), isFanInFanOut: true).isTransposed)
  }

  @Test func aTiedOutputLayerIsTheEmbedding() throws {
    let shapes = ["model.embed_tokens.weight": [50, 4], "model.q.weight": [4, 4]]
    let match = try ModuleMatcher(shapes: shapes, tiesEmbeddings: true).match(
      module("lm_head", 50, 4), isFanInFanOut: false)
    #expect(match.module == "lm_head" && match.tensor == "model.embed_tokens.weight" && !match.isTransposed)
    #expect(throws: ModuleMatcher.Mismatch.noSuchModule) {
      try ModuleMatcher(shapes: shapes).match(module("lm_head", 50, 4), isFanInFanOut: false)
    }
  }
}
