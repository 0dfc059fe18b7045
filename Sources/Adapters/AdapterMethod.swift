/// The methods whose adapters are read from disk so far, by the names of the command line and of the tables.
package enum AdapterMethod: String, CaseIterable, Sendable {
  case lora, rslora, pissa, milora
  /// LoRA+ and LoRA-FA leave the same files as LoRA; only `--method` can say so.
  case loraPlus = "lora-plus"
  case loraFA = "lora-fa"
  case rank1
  /// Whole weights, as `modules_to_save` stores them.
  case full

  /// True for methods that move a part of the base into the adapter at step 0: there W_eff = W₀ − s·B₀·A₀ + s·B·A.
  package var subtractsStart: Bool { self == .pissa || self == .milora }
}
