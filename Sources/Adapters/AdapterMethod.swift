import LinearAlgebra

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

  /// Those that the files of an adapter cannot tell, or can tell only with its start.
  package static let statable: [AdapterMethod] = [.lora, .rslora, .pissa, .milora, .loraPlus, .loraFA, .rank1]

  /// True for methods that move a part of the base into the adapter at step 0: there W_eff = W₀ − s·B₀·A₀ + s·B·A.
  package var subtractsStart: Bool { self == .pissa || self == .milora }
}

// MARK: - Training

extension AdapterMethod {
  /// The methods that can be trained.
  package static let trainable: [AdapterMethod] = [.lora, .dora, .pissa, .milora, .full]

  /// This method over one weight, at its start.
  ///
  /// - Parameter weight: the base weight, output × input; it is copied.
  /// - Parameter generator: source of the random start; each method takes from it what it needs.
  /// - Throws: `LinearAlgebraError` where a start needs a decomposition that fails.
  package func adapting<S: TransformerScalar>(
    _ weight: Matrix<S>, options: AdapterOptions, generator: inout SeededGenerator
  ) throws(LinearAlgebraError) -> any AdaptedWeight<S> {
    switch self {
    case .lora: LoRA(weight: weight, options: options, generator: &generator)
    case .dora: DoRA(weight: weight, options: options, generator: &generator)
    case .pissa: try PiSSA(weight: weight, options: options, generator: &generator)
    case .milora: try MiLoRA(weight: weight, options: options)
    case .full: FullFineTuning(weight: weight)
    case .rslora, .loraPlus, .loraFA, .rank1, .adalora, .miss, .vera, .ia3, .loha, .lokr, .lnTuning:
      preconditionFailure("\(self) is not trained yet")
    }
  }
}
