/// Which layers stand behind the norms of a model family, such that the norm's output is their input.
struct NormConsumers: Sendable {
  /// The layers behind one norm, relative to the block that the norm is in.
  struct Entry: Sendable {
    /// The end of the norm's path.
    var norm: String
    /// Paths below what is left of the norm's path; empty for a norm whose output feeds no layer directly.
    var layers: [String]
    /// True where the layers are those of the following block.
    var isNextBlock = false
  }

  var entries: [Entry]
  /// The norm before the output layer, and that layer.
  var last: (norm: String, layer: String)?
  /// 1 where γ − 1 is stored.
  var offset = 0.0
  /// True where the family's layers are stored input × output.
  var isTransposed = false
  /// True where the output of norms goes past the layers into the residual stream as well.
  var feedsResidual = false

  private static let queryKeyValue = ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"]
  private static let gateUp = ["mlp.gate_proj", "mlp.up_proj"]
  private static let outputLayer = (norm: "norm", layer: "lm_head")

  private static let llama = NormConsumers(
    entries: [
      Entry(norm: "input_layernorm", layers: queryKeyValue), Entry(norm: "post_attention_layernorm", layers: gateUp),
    ], last: outputLayer)

  private static let qwen3 = NormConsumers(
    entries: llama.entries + [
      // These act on queries and keys behind their projections.
      Entry(norm: "q_norm", layers: []), Entry(norm: "k_norm", layers: []),
    ], last: outputLayer)

  private static let gemma = NormConsumers(entries: llama.entries, last: outputLayer, offset: 1)

  /// Norms on what attention and feed-forward layers give feed the residual stream alone.
  private static let gemma2 = NormConsumers(
    entries: [
      Entry(norm: "input_layernorm", layers: queryKeyValue), Entry(norm: "pre_feedforward_layernorm", layers: gateUp),
      Entry(norm: "post_attention_layernorm", layers: []), Entry(norm: "post_feedforward_layernorm", layers: []),
      Entry(norm: "q_norm", layers: []), Entry(norm: "k_norm", layers: []),
    ], last: outputLayer, offset: 1)

  private static let phi3 = NormConsumers(
    entries: [
      Entry(norm: "input_layernorm", layers: ["self_attn.qkv_proj"]),
      Entry(norm: "post_attention_layernorm", layers: ["mlp.gate_up_proj"]),
    ], last: outputLayer)

  private static let gpt2 = NormConsumers(
    entries: [Entry(norm: "ln_1", layers: ["attn.c_attn"]), Entry(norm: "ln_2", layers: ["mlp.c_fc"])],
    last: (norm: "ln_f", layer: "lm_head"), isTransposed: true)

  private static let gptNeoX = NormConsumers(
    entries: [
      Entry(norm: "input_layernorm", layers: ["attention.query_key_value"]),
      Entry(norm: "post_attention_layernorm", layers: ["mlp.dense_h_to_4h"]),
    ], last: (norm: "final_layer_norm", layer: "embed_out"))

  private static let bert: NormConsumers = {
    let queryKeyValue = ["attention.self.query", "attention.self.key", "attention.self.value"]
    return NormConsumers(
      entries: [
        Entry(norm: "attention.output.LayerNorm", layers: ["intermediate.dense"]),
        Entry(norm: "output.LayerNorm", layers: queryKeyValue, isNextBlock: true),
        Entry(norm: "embeddings.LayerNorm", layers: queryKeyValue.map { "encoder.layer.0." + $0 }),
      ], feedsResidual: true)
  }()

  /// The family of a `model_type`, if its norms are known.
  static func of(modelType: String) -> NormConsumers? {
    switch modelType {
    case "llama", "mistral", "qwen2", "smollm3": llama
    case "qwen3": qwen3
    case "gemma": gemma
    case "gemma2", "gemma3", "gemma3_text": gemma2
    case "phi3": phi3
    case "gpt2": gpt2
    case "gpt_neox": gptNeoX
    case "bert", "roberta", "xlm-roberta": bert
    default: nil
    }
  }
}

extension NormConsumers {
  /// The paths of the layers behind a norm; nil where the family has no such norm.
  func layers(behind path: String) -> [String]? {
    if let last, path == last.norm || path.hasSuffix("." + last.norm) { return [last.layer] }
    for entry in entries where path == entry.norm || path.hasSuffix("." + entry.norm) {
      let block = String(path.dropLast(entry.norm.count))
      guard entry.isNextBlock else { return entry.layers.map { block + $0 } }
      return Self.next(block).map { next in entry.layers.map { next + $0 } } ?? []
    }
    return nil
  }

  /// `encoder.layer.4.` of `encoder.layer.3.`.
  private static func next(_ block: String) -> String? {
    var parts = block.split(separator: ".").map(String.init)
    guard let last = parts.last, let number = Int(last) else { return nil }
    parts[parts.count - 1] = String(number + 1)
    return parts.joined(separator: ".") + "."
  }
}
