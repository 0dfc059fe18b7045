import OrderedCollections
import Weights

extension DecoderConfiguration {
  /// The name of the configuration file in a model's folder.
  package static let fileName = "config.json"

  /// Reads a `config.json` as transformers 4 and 5 write it.
  ///
  /// A field that is left out has the default of transformers' `Qwen2Config` or `LlamaConfig`. Whatever would make the
  /// model another one than this decoder (rotary scaling, sliding windows, other activations, quantised weights) is
  /// refused; what decides nothing here, such as dropout, is passed over.
  ///
  /// - Throws: `FileError` where the file cannot be opened, is no JSON, or a field has a value that cannot be used.
  package init(path: String) throws(FileError) {
    let fields = try JSONFields(path: path)
    let family = try fields.family()
    let defaults = family.defaults
    try fields.refuseOtherArchitectures(layerCount: try fields.count("num_hidden_layers", or: 32))
    let heads = try fields.count("num_attention_heads", or: 32)
    // Qwen2 has biases in q, k and v whatever the field says, Llama in q, k, v and o where it says so.
    let hasLlamaBias = family == .llama ? try fields.flag("attention_bias") : false
    self.init(
      family: family,
      vocabularySize: try fields.count("vocab_size", or: defaults.vocabularySize),
      hiddenSize: try fields.count("hidden_size", or: 4096),
      intermediateSize: try fields.count("intermediate_size", or: defaults.intermediateSize),
      layerCount: try fields.count("num_hidden_layers", or: 32),
      headCount: heads,
      keyValueHeadCount: try fields.keyValueHeadCount(heads, or: defaults.keyValueHeadCount),
      headSize: try fields.headSize(heads),
      normEpsilon: try fields.positive("rms_norm_eps") ?? 1e-6,
      ropeTheta: try fields.ropeTheta(),
      hasAttentionBias: family == .qwen2 || hasLlamaBias,
      hasOutputBias: hasLlamaBias,
      tiesEmbeddings: try fields.flag("tie_word_embeddings"),
      maximumLength: try fields.count("max_position_embeddings", or: defaults.maximumLength))
    guard parameterEstimate <= Self.parameterLimit else {
      throw FileError(
        .badContent, path: path,
        "expected sizes of at most 2^48 parameters together, found about \(parameterEstimate)",
        remedy: "Check the sizes in the file")
    }
  }

  /// More than any machine holds, and little enough for every product of sizes to stay within Int.
  private static var parameterLimit: Double { 0x1p48 }

  /// The number of weights in Float64, which does not overflow.
  private var parameterEstimate: Double {
    let hidden = Double(hiddenSize)
    let attention = 2 * Double(headSize) * (Double(headCount) + Double(keyValueHeadCount)) * hidden
    let feedForward = 3 * Double(intermediateSize) * hidden
    return Double(layerCount) * (attention + feedForward) + 2 * Double(vocabularySize) * hidden
  }
}

extension DecoderConfiguration.Family {
  /// What transformers takes where a `config.json` is silent, as far as the families differ.
  fileprivate struct Defaults {
    var vocabularySize: Int
    var intermediateSize: Int
    /// Nil where it is the number of query heads.
    var keyValueHeadCount: Int?
    var maximumLength: Int
  }

  fileprivate var defaults: Defaults {
    switch self {
    case .qwen2:
      Defaults(vocabularySize: 151_936, intermediateSize: 22_016, keyValueHeadCount: 32, maximumLength: 32_768)
    case .llama:
      Defaults(vocabularySize: 32_000, intermediateSize: 11_008, keyValueHeadCount: nil, maximumLength: 2_048)
    }
  }

  /// The class that transformers loads the model with.
  fileprivate var architecture: String {
    switch self {
    case .qwen2: "Qwen2ForCausalLM"
    case .llama: "LlamaForCausalLM"
    }
  }
}

// MARK: - Reading

extension JSONFields {
  fileprivate func family() throws(FileError) -> DecoderConfiguration.Family {
    guard let family = DecoderConfiguration.Family(rawValue: value("model_type")?.string ?? "") else {
      let known = DecoderConfiguration.Family.allCases.map { FileError.quoted($0.rawValue) }
      throw wrong(
        "model_type", expected: known.joined(separator: " or "), remedy: "Train a base of one of these families")
    }
    return family
  }

  fileprivate func keyValueHeadCount(_ heads: Int, or standard: Int?) throws(FileError) -> Int {
    let field = "num_key_value_heads"
    // Null is the number of query heads in both families, whatever the default.
    let count = try count(field, or: stated(field) == .null ? heads : standard ?? heads)
    guard heads % count == 0 else {
      throw wrong(field, .integer(count), expected: "a divisor of num_attention_heads, \(heads)")
    }
    return count
  }

  fileprivate func headSize(_ heads: Int) throws(FileError) -> Int {
    let hidden = try count("hidden_size", or: 4096)
    guard value("head_dim") != nil || hidden % heads == 0 else {
      throw wrong("hidden_size", .integer(hidden), expected: "a multiple of num_attention_heads, \(heads)")
    }
    let size = try count("head_dim", or: hidden / heads)
    guard size % 2 == 0 else {
      throw wrong("head_dim", .integer(size), expected: "an even number, which rotary positions need")
    }
    return size
  }

  /// Refuses what this decoder does not compute.
  fileprivate func refuseOtherArchitectures(layerCount: Int) throws(FileError) {
    guard value("hidden_act") ?? "silu" == "silu" else {
      throw wrong("hidden_act", expected: #""silu""#, remedy: "Other activations cannot be trained")
    }
    guard try !flag("mlp_bias") else {
      throw wrong("mlp_bias", expected: "false", remedy: "Biases of the feed-forward layers cannot be trained")
    }
    guard value("quantization_config") == nil else {
      throw wrong(
        "quantization_config", expected: "none",
        remedy: "Save the model with weights in float32, float16 or bfloat16 instead")
    }
    try refuseSlidingWindows(layerCount: layerCount)
  }

  private func refuseSlidingWindows(layerCount: Int) throws(FileError) {
    let remedy = "Attention within a window cannot be trained"
    let types = value("layer_types") ?? []
    guard let types = types.array else { throw wrong("layer_types", expected: "a list") }
    if let type = types.first(where: { $0 != "full_attention" }) {
      throw wrong("layer_types", type, expected: #""full_attention" in every layer"#, remedy: remedy)
    }
    // Where the layers' types are not listed, those from max_window_layers on have the window.
    let hasWindow = try flag("use_sliding_window") && stated("sliding_window") != .null
    guard hasWindow, types.isEmpty, value("max_window_layers")?.int ?? 28 < layerCount else { return }
    throw wrong("use_sliding_window", expected: "false", remedy: remedy)
  }

  /// The base of the rotary frequencies: in `rope_parameters` (transformers 5), else at the top level (transformers 4).
  /// `rope_scaling`, the older name of the object, wins over the newer one, as in transformers.
  fileprivate func ropeTheta() throws(FileError) -> Double {
    let name = value("rope_scaling") ?? [:] == [:] ? "rope_parameters" : "rope_scaling"
    guard let parameters = (value(name) ?? [:]).object else { throw wrong(name, expected: "an object") }
    let remedy = "Rotary positions that are scaled, partial or different between layers cannot be trained"
    if let (layers, value) = parameters.elements.first(where: { $0.value.object != nil }) {
      throw wrong("\(name).\(layers)", value, expected: "one set of values for all layers", remedy: remedy)
    }
    let type = parameters["rope_type"] == nil ? "\(name).type" : "\(name).rope_type"
    guard value(type) ?? "default" == "default" else { throw wrong(type, expected: #""default""#, remedy: remedy) }
    for field in ["\(name).partial_rotary_factor", "partial_rotary_factor"] {
      guard value(field)?.double ?? 1 == 1 else { throw wrong(field, expected: "1", remedy: remedy) }
    }
    if let theta = try positive("\(name).rope_theta") { return theta }
    return try positive("rope_theta") ?? 10_000
  }
}

// MARK: - Writing

extension DecoderConfiguration {
  /// The `config.json` of a model with these sizes in float32, from which transformers 4 and 5 build the same model.
  ///
  /// `eos` and `pad` are the tokens that end and fill a sequence; without a tokenizer they are left out. A configuration
  /// that its family does not have, such as Qwen2 without biases, is a mistake of the caller.
  package func json(eos: Int32? = nil, pad: Int32? = nil) -> JSONValue {
    precondition(
      hasAttentionBias == (family == .qwen2 || hasOutputBias) && !(family == .qwen2 && hasOutputBias),
      "Models of the family \(family.rawValue) do not have these biases.")
    var fields: OrderedDictionary<String, JSONValue> = [
      "architectures": [.string(family.architecture)], "model_type": .string(family.rawValue), "dtype": "float32",
      "vocab_size": .integer(vocabularySize), "hidden_size": .integer(hiddenSize),
      "intermediate_size": .integer(intermediateSize), "num_hidden_layers": .integer(layerCount),
      "num_attention_heads": .integer(headCount), "num_key_value_heads": .integer(keyValueHeadCount),
      "hidden_act": "silu", "max_position_embeddings": .integer(maximumLength),
      "rms_norm_eps": .number(normEpsilon), "tie_word_embeddings": .bool(tiesEmbeddings),
      "rope_parameters": ["rope_theta": .number(ropeTheta), "rope_type": "default"],
      // Transformers 4 knows no rope_parameters, and would take its default without a word.
      "rope_theta": .number(ropeTheta),
      "attention_dropout": 0.0, "use_cache": true,
    ]
    switch family {
    case .qwen2:
      fields["use_sliding_window"] = false
    case .llama:
      fields["attention_bias"] = .bool(hasOutputBias)
      fields["mlp_bias"] = false
    }
    if family == .llama || headSize * headCount != hiddenSize { fields["head_dim"] = .integer(headSize) }
    if let eos, let pad {
      // Llama's own defaults are tokens 1 and 2 of another vocabulary.
      fields["bos_token_id"] = .null
      fields["eos_token_id"] = .integer(Int(eos))
      fields["pad_token_id"] = .integer(Int(pad))
    }
    return .object(fields)
  }
}
