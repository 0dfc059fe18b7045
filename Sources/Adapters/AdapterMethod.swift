/// The methods by the names of the command line and of the tables.
package enum AdapterMethod: String, CaseIterable, Sendable {
  case lora, rslora, dora, pissa, milora
  /// LoRA+ and LoRA-FA leave the same files as LoRA; only `--method` can say so.
  case loraPlus = "lora-plus"
  case loraFA = "lora-fa"
  case rank1
  case adalora, miss, vera, ia3, loha, lokr
  case lnTuning = "ln-tuning"
  /// Whole weights, of full fine-tuning or as `modules_to_save` stores them.
  case full
  /// The control experiments of PiSSA and MiLoRA: directions and magnitudes of the start chosen apart.
  case svd

  /// Those that the files of an adapter cannot tell, or can tell only with its start.
  package static let statable: [AdapterMethod] = [
    .lora, .rslora, .pissa, .milora, .loraPlus, .loraFA, .rank1, .svd,
  ]

  /// True for methods that move a part of the base into the adapter at step 0: there W_eff = W₀ − s·B₀·A₀ + s·B·A.
  package var subtractsStart: Bool { [.pissa, .milora, .svd].contains(self) }
}

// MARK: - Training

extension AdapterMethod {
  /// The methods that can be trained, in the order in which they are listed.
  package static let registry: [any TrainedMethod.Type] = [
    TrainedLoRA.self,
    TrainedRSLoRA.self,
    TrainedLoRAPlus.self,
    TrainedLoRAFA.self,
    TrainedDoRA.self,
    TrainedAdaLoRA.self,
    TrainedPiSSA.self,
    TrainedMiLoRA.self,
    TrainedMiSS.self,
    TrainedVeRA.self,
    TrainedIA3.self,
    TrainedNorms.self,
    TrainedRank1.self,
    TrainedWhole.self,
    TrainedSVD.self,
  ]

  /// The names of the registry.
  package static let trainable = registry.map { $0.method }

  /// How this method is trained; nil for one that is only read.
  package var trained: (any TrainedMethod.Type)? { Self.registry.first { $0.method == self } }

  /// The linear layers of a decoder, as `targets` names them.
  package static let linearLayers = [
    "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj",
  ]
}
