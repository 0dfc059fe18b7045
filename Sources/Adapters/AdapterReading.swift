import OrderedCollections
import Weights

/// Sorts the tensors of an adapter file into modules, and says what does not fit.
struct AdapterReading {
  let configuration: PEFTConfiguration
  let weights: TensorFile
  var modules: [AdapterFolder.Module] = []
  var remarks: [AdapterRemark] = []
  var skippedModules: [String] = []

  init(configuration: PEFTConfiguration, weights: TensorFile) {
    self.configuration = configuration
    self.weights = weights
  }

  mutating func sortTensors() {
    var parts: OrderedDictionary<String, [AdapterTensorRole: String]> = [:]
    var whole: [(path: String, tensor: String)] = []
    for name in weights.tensors.keys {
      let bare = Self.withoutPrefix(name)
      if let known = LoRAFactors.role(of: bare) {
        if parts[known.path]?[known.role] != nil {
          remarks.append(
            AdapterRemark(.notAnalysed, module: known.path, "the tensor \(name) stands twice and is left out"))
          continue
        }
        parts[known.path, default: [:]][known.role] = name
      } else {
        whole.append((bare, name))
      }
    }
    for (path, tensors) in parts { addLoRA(path, tensors) }
    for entry in whole { addWhole(entry.path, tensor: entry.tensor, besideLoRA: Set(parts.keys)) }
    modules.sort { $0.path < $1.path }
    remarkOnConfiguration()
  }

  /// PEFT's wrappers put one or two prefixes before the base model's own path.
  private static func withoutPrefix(_ name: String) -> String {
    let prefix = ["base_model.model.", "base_model."].first { name.hasPrefix($0) } ?? ""
    // A raw state dictionary keeps the wrapper's part of the name, which PEFT's save_pretrained takes out.
    return String(name.dropFirst(prefix.count)).replacing(".modules_to_save.default.", with: ".")
  }

  private mutating func skip(_ path: String, _ reason: String) {
    skippedModules.append(path)
    remarks.append(AdapterRemark(.notAnalysed, module: path, "\(path): \(reason)"))
  }

  private mutating func addLoRA(_ path: String, _ tensors: [AdapterTensorRole: String]) {
    if tensors[.magnitude] != nil { return skip(path, "a DoRA magnitude is known but not analysed yet") }
    let isEmbedding = tensors[.embeddingA] != nil
    guard let a = tensors[isEmbedding ? .embeddingA : .a], let b = tensors[isEmbedding ? .embeddingB : .b],
      let aEntry = weights.tensors[a], let bEntry = weights.tensors[b]
    else { return skip(path, "expected both lora_A and lora_B, found one of them") }
    guard let format = aEntry.elementType.format, bEntry.elementType.format != nil else {
      return skip(path, "tensors of type \(aEntry.elementType) are not read")
    }
    guard aEntry.shape.count == 2, bEntry.shape.count == 2 else {
      return skip(path, "expected matrices, found tensors of \(aEntry.shape.count) dimensions (a convolution?)")
    }
    guard aEntry.shape[0] == bEntry.shape[1], (aEntry.shape + bEntry.shape).allSatisfy({ $0 > 0 }) else {
      return skip(path, "lora_A of \(aEntry.shape) and lora_B of \(bEntry.shape) do not fit each other")
    }
    if tensors[.bias] != nil {
      remarks.append(AdapterRemark(.notAnalysed, module: path, "\(path): the trained bias of lora_B is left out"))
    }
    let coarser = bEntry.elementType.format!.unitRoundoff > format.unitRoundoff ? bEntry.elementType.format! : format
    modules.append(
      AdapterFolder.Module(
        path: path, content: .lora(a: a, b: b, isEmbedding: isEmbedding), rows: bEntry.shape[0],
        columns: aEntry.shape[1], rank: aEntry.shape[0], format: coarser))
  }

  private mutating func addWhole(_ path: String, tensor: String, besideLoRA: Set<String>) {
    // PEFT saves a copy of the base weight beside a trained embedding; it is no part of the update.
    if path.hasSuffix(".base_layer.weight") { return }
    guard let entry = weights.tensors[tensor], path.hasSuffix(".weight") else {
      remarks.append(AdapterRemark(.notAnalysed, "the tensor \(tensor) is no part of LoRA and is left out"))
      return
    }
    let module = String(path.dropLast(".weight".count))
    if besideLoRA.contains(module) { return }
    if modules.contains(where: { $0.path == module }) {
      remarks.append(AdapterRemark(.notAnalysed, module: module, "the tensor \(tensor) stands twice and is left out"))
      return
    }
    guard entry.shape.count == 2, entry.shape.allSatisfy({ $0 > 0 }), let format = entry.elementType.format else {
      remarks.append(
        AdapterRemark(
          .notAnalysed, "the trained tensor \(tensor) of shape \(entry.shape) is no matrix and has no spectrum"))
      return
    }
    let isEmbedding = AdapterFolder.isEmbedding(named: String(module.split(separator: ".").last ?? ""))
    modules.append(
      AdapterFolder.Module(
        path: module, content: .saved(tensor, isEmbedding: isEmbedding), rows: entry.shape[isEmbedding ? 1 : 0],
        columns: entry.shape[isEmbedding ? 0 : 1], rank: nil, format: format))
  }

  private mutating func remarkOnConfiguration() {
    let adapted = modules.filter { $0.rank != nil }
    let offConfig = adapted.filter { $0.rank != configuration.rank(of: $0.path) }
    if let first = offConfig.first {
      remarks.append(
        AdapterRemark(
          .rankOffConfiguration, value: Double(first.rank!),
          "\(offConfig.count) of \(adapted.count) modules have another rank than the configuration says: \(first.path) has "
            + "rank \(first.rank!), the configuration gives it \(configuration.rank(of: first.path)). Its scaling is taken "
            + "from the configuration; check that configuration and weights belong together"))
    }
    if !configuration.statesAlpha {
      remarks.append(
        AdapterRemark(
          .alphaIsMissing,
          "lora_alpha is missing from the configuration; PEFT's default, 8, is taken. Every norm scales with it"))
    }
    let silenced = adapted.filter { configuration.alpha(of: $0.path) == 0 }
    if !silenced.isEmpty {
      remarks.append(
        AdapterRemark(
          .alphaIsZero, value: 0,
          "lora_alpha is 0 for \(silenced.count) of \(adapted.count) modules, so their update is zero whatever was trained. "
            + "Some checkpoint mergers write it when they lack the training's metadata; restore the α of the training"))
    }
  }
}

extension AdapterFolder {
  /// True for names that model families give their embeddings. A whole weight does not say what layer it belongs to.
  package static func isEmbedding(named name: String) -> Bool { embeddingNames.contains(name) }

  private static let embeddingNames: Set<String> = [
    "embed_tokens", "embed_positions", "embed_in", "wte", "wpe", "tok_embeddings", "word_embeddings",
    "position_embeddings", "token_type_embeddings", "shared",
  ]
}
