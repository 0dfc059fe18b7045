import OrderedCollections
import TestSupport
import Testing
import Training
import Weights

@Suite struct DecoderConfigurationTests {
  private func read(_ text: String) throws -> DecoderConfiguration {
    let folder = try TemporaryFolder()
    return try DecoderConfiguration(path: try folder.write("config.json", text))
  }

  /// Small and valid sizes of both families, as members of an object.
  private static let sizes = #"""
    "vocab_size": 29, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2
    """#

  @Test(arguments: [
    ("qwen2", Self.reference(.qwen2, keyValueHeads: 2, headSize: 8, epsilon: 1e-6, theta: 1e4, isTied: true)),
    ("qwen2-untied", Self.reference(.qwen2, keyValueHeads: 1, headSize: 8, epsilon: 1e-6, theta: 1e6, isTied: false)),
    ("llama", Self.reference(.llama, keyValueHeads: 2, headSize: 16, epsilon: 1e-5, theta: 1e4, isTied: false)),
    (
      "llama-bias",
      Self.reference(.llama, keyValueHeads: 4, headSize: 8, epsilon: 1e-5, theta: 1e5, isTied: true, hasBias: true)
    ),
  ])
  func configurationsOfTransformersAreRead(name: String, expected: DecoderConfiguration) throws {
    #expect(try DecoderConfiguration(path: Self.path(of: name)) == expected)
  }

  /// Every field that is written is in the file that transformers wrote for the same sizes, with the same value.
  @Test(arguments: ["qwen2", "qwen2-untied", "llama", "llama-bias"])
  func theFieldsWrittenAreThoseOfTransformers(name: String) throws {
    let theirs = try #require(try JSONValue(contentsOf: Self.path(of: name)).object)
    let ours = try #require(try DecoderConfiguration(path: Self.path(of: name)).json().object)
    for (key, value) in ours where key != "rope_theta" { #expect(value == theirs[key], "\(key)") }
    // For transformers 4 alone.
    #expect(ours["rope_theta"] == theirs["rope_parameters"]?["rope_theta"])
    #expect(ours.count >= 18)
  }

  @Test(arguments: ["qwen2", "qwen2-untied", "llama", "llama-bias"])
  func whatIsWrittenIsReadBack(name: String) throws {
    var configuration = try DecoderConfiguration(path: Self.path(of: name))
    #expect(try read(configuration.json().text()) == configuration)
    configuration.headSize = 6
    #expect(try read(configuration.json(eos: 16, pad: 0).text()) == configuration)
  }

  @Test func theEndOfASequenceIsWritten() {
    let llama = Self.reference(.llama, keyValueHeads: 2, headSize: 8, epsilon: 1e-5, theta: 1e4, isTied: true)
    let json = llama.json(eos: 16, pad: 0)
    #expect(json["eos_token_id"] == 16 && json["pad_token_id"] == 0)
    // Else it would be Llama's own, token 1.
    #expect(json["bos_token_id"] == JSONValue.null)
  }

  private static func path(of name: String) -> String {
    ReferenceCase.folder + "/training/models/\(name)/config.json"
  }

  private static func reference(
    _ family: DecoderConfiguration.Family, keyValueHeads: Int, headSize: Int, epsilon: Double, theta: Double,
    isTied: Bool, hasBias: Bool = false
  ) -> DecoderConfiguration {
    DecoderConfiguration(
      family: family, vocabularySize: 29, hiddenSize: 32, intermediateSize: 48, layerCount: 2, headCount: 4,
      keyValueHeadCount: keyValueHeads, headSize: headSize, normEpsilon: epsilon, ropeTheta: theta,
      hasAttentionBias: family == .qwen2 || hasBias, hasOutputBias: hasBias, tiesEmbeddings: isTied, maximumLength: 64)
  }
}

// MARK: - Defaults and spellings

extension DecoderConfigurationTests {
  @Test func fieldsLeftOutHaveTheDefaultsOfTheFamily() throws {
    #expect(
      try read(#"{"model_type": "qwen2"}"#)
        == DecoderConfiguration(
          family: .qwen2, vocabularySize: 151_936, hiddenSize: 4096, intermediateSize: 22_016, layerCount: 32,
          headCount: 32, keyValueHeadCount: 32, headSize: 128, normEpsilon: 1e-6, ropeTheta: 10_000,
          hasAttentionBias: true, hasOutputBias: false, tiesEmbeddings: false, maximumLength: 32_768))
    #expect(
      try read(#"{"model_type": "llama"}"#)
        == DecoderConfiguration(
          family: .llama, vocabularySize: 32_000, hiddenSize: 4096, intermediateSize: 11_008, layerCount: 32,
          headCount: 32, keyValueHeadCount: 32, headSize: 128, normEpsilon: 1e-6, ropeTheta: 10_000,
          hasAttentionBias: false, hasOutputBias: false, tiesEmbeddings: false, maximumLength: 2_048))
  }

  /// Qwen2's default is 32 heads, null is as many as query heads; in Llama both are the latter.
  @Test func keyValueHeadsThatAreNullAreAsManyAsQueryHeads() throws {
    let sizes = #""hidden_size": 32, "num_attention_heads": 4"#
    #expect(try read(#"{"model_type": "qwen2", "num_key_value_heads": null, \#(sizes)}"#).keyValueHeadCount == 4)
    #expect(try read(#"{"model_type": "llama", "num_key_value_heads": null, \#(sizes)}"#).keyValueHeadCount == 4)
    #expect(try read(#"{"model_type": "llama", \#(sizes)}"#).keyValueHeadCount == 4)
    let error = try #require(throws: FileError.self) { try read(#"{"model_type": "qwen2", \#(sizes)}"#) }
    #expect(error.problem == "expected a divisor of num_attention_heads, 4, found 32")
  }

  @Test(arguments: [
    (#""rope_theta": 500000.0, "rope_scaling": null"#, 500_000.0),
    (#""rope_theta": 500000"#, 500_000),
    (#""rope_parameters": {"rope_theta": 1000000.0, "rope_type": "default"}"#, 1_000_000),
    (#""rope_parameters": {"rope_theta": 20.5}, "rope_theta": 7"#, 20.5),
    (#""rope_parameters": {"rope_type": "default"}, "rope_theta": 7"#, 7),
    (#""rope_scaling": {"type": "default"}, "rope_parameters": {"rope_theta": 9}, "rope_theta": 7"#, 7),
    (#""rope_scaling": {}, "rope_parameters": {"rope_theta": 9}, "rope_theta": 7"#, 9),
    (#""partial_rotary_factor": 1.0"#, 10_000),
  ])
  func bothSpellingsOfTheRotaryBaseAreRead(fields: String, theta: Double) throws {
    #expect(try read(#"{"model_type": "qwen2", \#(Self.sizes), \#(fields)}"#).ropeTheta == theta)
  }

  /// What decides nothing here is passed over.
  @Test func aFileOfTransformers4IsRead() throws {
    let found = try read(
      #"""
      {"architectures": ["Qwen2ForCausalLM"], "attention_dropout": 0.1, "bos_token_id": 151643, "model_type": "qwen2",
       "hidden_act": "silu", \#(Self.sizes), "initializer_range": 0.02, "max_position_embeddings": 128,
       "max_window_layers": 1, "rms_norm_eps": 1e-06, "rope_theta": 1000000.0, "sliding_window": 4096,
       "use_sliding_window": false, "tie_word_embeddings": true, "torch_dtype": "bfloat16", "use_mrope": false,
       "transformers_version": "4.40.1", "brand_new": {"x": NaN}}
      """#)
    #expect(
      found
        == DecoderConfiguration(
          vocabularySize: 29, hiddenSize: 32, intermediateSize: 48, layerCount: 2, headCount: 4, keyValueHeadCount: 2,
          ropeTheta: 1e6, maximumLength: 128))
  }

  @Test(arguments: [
    // No layer has it.
    #""use_sliding_window": true, "max_window_layers": 2"#,
    #""use_sliding_window": true"#,
    #""use_sliding_window": true, "max_window_layers": 0, "sliding_window": null"#,
    #""use_sliding_window": true, "max_window_layers": 0, "layer_types": ["full_attention", "full_attention"]"#,
  ])
  func aSlidingWindowThatNoLayerHasIsNoObstacle(fields: String) throws {
    #expect(try read(#"{"model_type": "qwen2", \#(Self.sizes), \#(fields)}"#).layerCount == 2)
  }
}

// MARK: - Refusals

extension DecoderConfigurationTests {
  private static let window = "Attention within a window cannot be trained"
  private static let rotary = "Rotary positions that are scaled, partial or different between layers cannot be trained"

  @Test(arguments: [
    (#""hidden_act": "gelu""#, #"hidden_act: expected "silu", found "gelu". Other activations cannot be trained"#),
    (#""hidden_act": 3"#, #"hidden_act: expected "silu", found 3. Other activations cannot be trained"#),
    (
      #""mlp_bias": true"#,
      "mlp_bias: expected false, found true. Biases of the feed-forward layers cannot be trained"
    ),
    (#""mlp_bias": 1"#, "mlp_bias: expected true or false, found 1"),
    (#""attention_bias": "no""#, #"attention_bias: expected true or false, found "no""#),
    (#""tie_word_embeddings": 0"#, "tie_word_embeddings: expected true or false, found 0"),
    (
      #""quantization_config": {"quant_method": "bitsandbytes"}"#,
      "quantization_config: expected none, found an object. "
        + "Save the model with weights in float32, float16 or bfloat16 instead"
    ),
    (
      #""use_sliding_window": true, "max_window_layers": 1"#,
      "use_sliding_window: expected false, found true. \(window)"
    ),
    (
      #""layer_types": ["full_attention", "sliding_attention"]"#,
      #"layer_types: expected "full_attention" in every layer, found "sliding_attention". \#(window)"#
    ),
    (#""layer_types": "full_attention""#, #"layer_types: expected a list, found "full_attention""#),
    (
      #""rope_scaling": {"type": "linear", "factor": 2.0}"#,
      #"rope_scaling.type: expected "default", found "linear". \#(rotary)"#
    ),
    (
      #""rope_scaling": {"rope_type": "llama3", "factor": 8.0}"#,
      #"rope_scaling.rope_type: expected "default", found "llama3". \#(rotary)"#
    ),
    (
      #""rope_parameters": {"rope_type": "yarn", "rope_theta": 1e4}"#,
      #"rope_parameters.rope_type: expected "default", found "yarn". \#(rotary)"#
    ),
    (
      #""rope_parameters": {"full_attention": {"rope_theta": 1e4}}"#,
      "rope_parameters.full_attention: expected one set of values for all layers, found an object. \(rotary)"
    ),
    (
      #""rope_parameters": {"partial_rotary_factor": 0.5}"#,
      "rope_parameters.partial_rotary_factor: expected 1, found 0.5. \(rotary)"
    ),
    (#""partial_rotary_factor": 0.25"#, "partial_rotary_factor: expected 1, found 0.25. \(rotary)"),
    (#""rope_scaling": 3"#, "rope_scaling: expected an object, found 3"),
    (#""rope_theta": 0"#, "rope_theta: expected a positive number, found 0"),
    (#""rope_theta": "big""#, #"rope_theta: expected a positive number, found "big""#),
    (
      #""rope_parameters": {"rope_theta": -1.5}"#, "rope_parameters.rope_theta: expected a positive number, found -1.5"
    ),
    (#""rms_norm_eps": 0.0"#, "rms_norm_eps: expected a positive number, found 0.0"),
    (#""rms_norm_eps": NaN"#, "rms_norm_eps: expected a positive number, found NaN"),
    (#""rms_norm_eps": Infinity"#, "rms_norm_eps: expected a positive number, found Infinity"),
    (#""vocab_size": 0"#, "vocab_size: expected a positive whole number, found 0"),
    (#""hidden_size": -32"#, "hidden_size: expected a positive whole number, found -32"),
    (#""hidden_size": 30"#, "hidden_size: expected a multiple of num_attention_heads, 4, found 30"),
    (#""hidden_size": 20"#, "head_dim: expected an even number, which rotary positions need, found 5"),
    (#""head_dim": 7"#, "head_dim: expected an even number, which rotary positions need, found 7"),
    (#""intermediate_size": 2.5"#, "intermediate_size: expected a positive whole number, found 2.5"),
    (#""num_hidden_layers": "2""#, #"num_hidden_layers: expected a positive whole number, found "2""#),
    (#""num_attention_heads": [4]"#, "num_attention_heads: expected a positive whole number, found a list"),
    (#""num_key_value_heads": 3"#, "num_key_value_heads: expected a divisor of num_attention_heads, 4, found 3"),
    (#""num_key_value_heads": 8"#, "num_key_value_heads: expected a divisor of num_attention_heads, 4, found 8"),
    (#""max_position_embeddings": 0"#, "max_position_embeddings: expected a positive whole number, found 0"),
  ])
  func whatCannotBeTrainedIsRefusedByName(fields: String, message: String) throws {
    // The last value of a field counts.
    let text = #"{"model_type": "llama", \#(Self.sizes), \#(fields)}"#
    let error = try #require(throws: FileError.self) { try read(text) }
    #expect(error.kind == .badContent)
    #expect(error.description.hasSuffix("/config.json: " + message), "\(error)")
  }

  @Test(arguments: [
    (#"{"model_type": "gpt2"}"#, #""gpt2""#), (#"{"model_type": null}"#, "null"), ("{}", "none"), ("[1]", "none"),
    (#"{"model_type": "Qwen2"}"#, #""Qwen2""#),
  ])
  func otherFamiliesAreRefused(text: String, found: String) throws {
    let error = try #require(throws: FileError.self) { try read(text) }
    #expect(error.object == "model_type")
    #expect(error.problem == #"expected "qwen2" or "llama", found "# + found)
    #expect(error.remedy == "Train a base of one of these families")
  }

  /// Each of these products is beyond Int, or would be of bytes.
  @Test(arguments: [
    #""vocab_size": 4611686018427387904"#, #""hidden_size": 4611686018427387904"#, #""head_dim": 4611686018427387904"#,
    #""intermediate_size": 4611686018427387904"#, #""num_hidden_layers": 4611686018427387904"#,
    #""num_attention_heads": 4611686018427387904, "head_dim": 2"#,
  ])
  func sizesThatOverflowAreRefused(fields: String) throws {
    let text = #"{"model_type": "qwen2", \#(Self.sizes), \#(fields)}"#
    let error = try #require(throws: FileError.self) { try read(text) }
    #expect(error.kind == .badContent)
    #expect(error.problem.hasPrefix("expected sizes of at most 2^48 parameters together, found about "), "\(error)")
  }

  @Test func aMissingFileCannotBeOpened() throws {
    let folder = try TemporaryFolder()
    let error = try #require(throws: FileError.self) { try DecoderConfiguration(path: folder.path("config.json")) }
    #expect(error.kind == .cannotOpen)
  }
}
