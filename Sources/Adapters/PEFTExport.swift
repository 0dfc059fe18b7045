import OrderedCollections
import Weights

/// An adapter of a run on its way into PEFT's form.
package struct ExportedAdapter: Sendable {
  /// The tensors by module, without those that modules share.
  package var modules: OrderedDictionary<String, [AdapterSnapshot.Tensor]>
  /// The configured r; for AdaLoRA what is left on average.
  package var rank: Int?
  package var alpha: Double?
  package var scaling: Double?
  /// The run's configuration.
  package var configuration: JSONValue

  package init(
    modules: OrderedDictionary<String, [AdapterSnapshot.Tensor]>, rank: Int?, alpha: Double?, scaling: Double?,
    configuration: JSONValue
  ) {
    self.modules = modules
    self.rank = rank
    self.alpha = alpha
    self.scaling = scaling
    self.configuration = configuration
  }

  /// The first extent of the first tensor of that name.
  package func firstExtent(of tensor: String) -> Int? {
    modules.values.joined().first { $0.name == tensor }?.shape.first
  }

  /// The paths of the modules that have a tensor of that name, or of all.
  package func paths(with tensor: String? = nil) -> JSONValue {
    .array(
      modules.filter { _, tensors in tensor == nil || tensors.contains { $0.name == tensor } }.keys
        .map(JSONValue.string))
  }

  package var dropout: JSONValue { configuration["dropout"] ?? 0 }
}

/// Members of `adapter_config.json`.
package typealias PEFTMembers = OrderedDictionary<String, JSONValue>

extension TrainedMethod {
  package static var peftType: String { "LORA" }
  package static var layerTensors: Set<String> { ["lora_A", "lora_B"] }
  package static func peftMembers(of adapter: ExportedAdapter) -> PEFTMembers { loraMembers(of: adapter) }

  /// LoRA's. r and α are the run's own where its scaling follows from them by PEFT's rule, else those that give it.
  package static func loraMembers(of adapter: ExportedAdapter, usesRSLoRA: Bool = false) -> PEFTMembers {
    let rank = max(1, adapter.rank ?? adapter.firstExtent(of: "lora_A") ?? 1)
    let divisor = usesRSLoRA ? Double(rank).squareRoot() : Double(rank)
    var alpha = adapter.alpha ?? Double(rank)
    if let scaling = adapter.scaling, scaling != alpha / divisor { alpha = scaling * divisor }
    var members: PEFTMembers = [
      "r": .integer(rank), "lora_alpha": .number(alpha), "lora_dropout": adapter.dropout,
      "bias": "none", "use_rslora": .bool(usesRSLoRA), "use_dora": false, "init_lora_weights": true,
      "target_modules": adapter.paths(with: "lora_A"), "modules_to_save": .null,
    ]
    for name in ["rank_pattern", "alpha_pattern"] {
      if let pattern = adapter.configuration[name]?.object, !pattern.isEmpty { members[name] = .object(pattern) }
    }
    return members
  }
}
