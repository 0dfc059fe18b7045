import Adapters
import Testing
import Weights

@Suite struct PEFTConfigurationTests {
  @Test func unknownFieldsAreIgnoredAndMissingOnesHaveTheDefaultsOfPEFT() throws {
    let found = try configuration(
      #"{"peft_type": "lora", "velora_config": {"x": [1, NaN]}, "brand_new": null, "lora_dropout": "odd"}"#)
    #expect(found.type == "LORA")
    #expect(found.rank == 8 && found.alpha == 8 && !found.statesAlpha)
    #expect(!found.usesRankStabilization && !found.usesDoRA && !found.isFanInFanOut && !found.replicatesLayers)
    #expect(found.initialization == .zero)
    #expect(found.rankPattern.isEmpty && found.alphaPattern.isEmpty && found.modulesToSave.isEmpty)
    #expect(found.baseModel == nil)
    #expect(found.scaling(of: "model.layers.0.q_proj") == 1)
  }

  @Test func nullStandsForTheDefault() throws {
    let nulls = try configuration(
      #"""
      {"peft_type": "LORA", "r": null, "lora_alpha": null, "use_rslora": null, "use_dora": null, "fan_in_fan_out": null,
       "rank_pattern": null, "alpha_pattern": null, "modules_to_save": null, "base_model_name_or_path": null,
       "layer_replication": null}
      """#)
    #expect(try configuration(#"{"peft_type": "LORA"}"#) == nulls)
  }

  @Test func statedFieldsAreTaken() throws {
    let found = try configuration(
      #"""
      {"peft_type": "LORA", "r": 16.0, "lora_alpha": 12.5, "fan_in_fan_out": true, "modules_to_save": ["lm_head"],
       "base_model_name_or_path": "org/model", "layer_replication": [[0, 4]], "use_dora": true}
      """#)
    #expect(found.rank == 16 && found.alpha == 12.5 && found.statesAlpha)
    #expect(found.isFanInFanOut && found.usesDoRA && found.replicatesLayers)
    #expect(found.modulesToSave == ["lm_head"] && found.baseModel == "org/model")
  }

  @Test(arguments: [
    (#""peft_type": 3"#, "peft_type", "expected a string, found 3"),
    (#""peft_type": null"#, "peft_type", "expected the name of a PEFT method, found none"),
    (#""peft_type": "LORA", "r": "8""#, "r", #"expected a whole number, found "8""#),
    (#""peft_type": "LORA", "r": 2.5"#, "r", "expected a whole number, found 2.5"),
    (#""peft_type": "LORA", "r": 0"#, "r", "expected a positive whole number, found 0"),
    (#""peft_type": "LORA", "lora_alpha": [1]"#, "lora_alpha", "expected a finite number, found [1]"),
    (#""peft_type": "LORA", "rank_pattern": [4]"#, "rank_pattern", "expected an object, found [4]"),
    (
      #""peft_type": "LORA", "alpha_pattern": {"q": "4"}"#, "alpha_pattern",
      #"expected finite numbers, found {"q":"4"}"#
    ),
    (
      #""peft_type": "LORA", "rank_pattern": {"(": 4}"#, "rank_pattern", #"expected regular expressions, found {"(":4}"#
    ),
  ])
  func wrongTypesAreNamed(fields: String, object: String, problem: String) throws {
    let error = try #require(throws: FileError.self) { try configuration("{\(fields)}") }
    #expect(error.kind == .badContent)
    #expect(error.object == object)
    #expect(error.problem == problem)
    #expect(error.path.hasSuffix("/adapter_config.json"))
  }

  @Test(arguments: [#"{"q_proj": 0}"#, #"{"q_proj": 1.5}"#]) func impossiblePatternRanksAreNamed(pattern: String) throws
  {
    let error = try #require(throws: FileError.self) {
      try configuration(#"{"peft_type": "LORA", "r": 8, "rank_pattern": \#(pattern)}"#)
    }
    #expect(error.object == "rank_pattern", "the field with the wrong value is rank_pattern, not r = 8")
  }

  @Test(arguments: ["use_rslora", "use_dora", "fan_in_fan_out"]) func flagsOfAnotherTypeAreRefused(flag: String) throws
  {
    let error = try #require(throws: FileError.self) {
      try configuration(#"{"peft_type": "LORA", "\#(flag)": "true"}"#)
    }
    #expect(error.object == flag)
  }

  @Test func jsonOfAnotherKindIsRefused() throws {
    let error = try #require(throws: FileError.self) { try configuration("[1]") }
    #expect(error.problem == "expected a JSON object, found another kind of value")
  }

  /// Expected values are what Python's `re.match(rf"(.*\.)?({key})$", path)` says.
  @Test(arguments: [
    ("q_proj", "q_proj", true), ("q_proj", "model.layers.0.q_proj", true), ("proj", "model.q_proj", false),
    ("q_proj", "model.q_proj.extra", false), ("layers.1", "model.layers.11", false),
    ("layers.1", "model.layersX1", true), ("q_proj|k_proj", "a.k_proj", true), ("q_proj|k_proj", "a.k_proj.b", false),
    (#"^model\.layers\.0\..*"#, "model.layers.0.q_proj", true), (#"^layers.*"#, "model.layers.0", false),
    (#"layers\.[0-3]\..*_proj"#, "model.layers.3.self_attn.q_proj", true),
    (#"layers\.[0-3]\..*_proj"#, "model.layers.4.self_attn.q_proj", false), ("Q_PROJ", "a.q_proj", false),
  ])
  func patternsMatchAsInPython(key: String, path: String, matches: Bool) throws {
    let name = JSONValue.string(key).text()
    let found = try configuration(
      #"""
      {"peft_type": "LORA", "r": 8, "lora_alpha": 32, "rank_pattern": {\#(name): 4}, "alpha_pattern": {\#(name): 5}}
      """#)
    #expect(found.rank(of: path) == (matches ? 4 : 8))
    #expect(found.alpha(of: path) == (matches ? 5 : 32))
    #expect(found.scaling(of: path) == (matches ? 1.25 : 4))
  }

  @Test func theFirstPatternOfTheFileDecides() throws {
    let found = try configuration(
      #"""
      {"peft_type": "LORA", "r": 8, "lora_alpha": 8, "rank_pattern": {"z.*": 2, "z_proj": 4, "a.*": 16, ".*": 1},
       "alpha_pattern": {".*_proj": 32, "z_proj": 64}}
      """#)
    #expect(found.rank(of: "m.z_proj") == 2)
    #expect(found.rank(of: "m.a_proj") == 16)
    #expect(found.rank(of: "m.other") == 1)
    #expect(found.alpha(of: "m.z_proj") == 32)
    #expect(found.scaling(of: "m.z_proj") == 16)
  }

  @Test func rankStabilisationDividesByTheRootOfTheModulesRank() throws {
    let found = try configuration(
      #"""
      {"peft_type": "LORA", "r": 16, "lora_alpha": 8, "use_rslora": true, "rank_pattern": {"k": 4},
       "alpha_pattern": {"v": 2}}
      """#)
    #expect(found.scaling(of: "q") == 2)
    #expect(found.scaling(of: "k") == 4)
    #expect(found.scaling(of: "v") == 0.5)
  }

  @Test(
    arguments: [
      ("true", .zero), (#""gaussian""#, .zero), (#""eva""#, .zero), (#""orthogonal""#, .zero), (#""mica""#, .zero),
      (#""pissa""#, .pissa), (#""PiSSA""#, .pissa), (#""pissa_niter_16""#, .subtracted("pissa_niter_16")),
      (#""olora""#, .subtracted("olora")), (#""corda""#, .subtracted("corda")), (#""lora_ga""#, .subtracted("lora_ga")),
      ("false", .other("random")), (#""from_the_future""#, .other("from_the_future")),
    ] as [(String, PEFTConfiguration.Initialization)])
  func startsAreRecognised(value: String, start: PEFTConfiguration.Initialization) throws {
    #expect(try configuration(#"{"peft_type": "LORA", "init_lora_weights": \#(value)}"#).initialization == start)
  }

  @Test func theMethodFollowsFromTheStartAndTheFlag() throws {
    func method(_ fields: String) throws -> AdapterMethod {
      let writer = try AdapterWriter()
      try writer.write(fields: fields, [tensor("q.lora_A.weight", 2, 6), tensor("q.lora_B.weight", 4, 2)])
      return try writer.read().method
    }
    #expect(try method(#""r": 2"#) == .lora)
    #expect(try method(#""r": 2, "use_rslora": true"#) == .rslora)
    #expect(try method(#""r": 2, "use_rslora": true, "init_lora_weights": "pissa""#) == .pissa)
    #expect(try method(#""r": 2, "init_lora_weights": "pissa_niter_4""#) == .pissa)
    #expect(try method(#""r": 2, "init_lora_weights": "olora""#) == .lora)
  }
}
