import Training

/// What a training work does without, where it is told to, so that the worth of it is seen.
enum Saving: String, CaseIterable {
  /// A prompt is computed once for all its completions, when they are drawn and when they are learned from.
  case sharedPrompts = "shared-prompts"
  /// Completions with an advantage of zero are not computed again to learn from them.
  case zeroAdvantages = "zero-advantages"
  /// One product for q, k and v, and one for gate and up.
  case fusedProjections = "fused-projections"
  /// Adapters are merged into the weights that are sampled from.
  case mergedWeights = "merged-weights"
  /// Weights are laid out once for all products while completions are drawn.
  case packedWeights = "packed-weights"
  /// No gradient below the first layer that is trained.
  case noGradientBelow = "no-gradient-below"
  /// Kernels made for the processor's vectors, matrix products aside.
  case vectorKernels = "vector-kernels"

  /// The works that show what it is worth.
  var works: [TrainingWork] {
    switch self {
    case .sharedPrompts: [.grpo]
    case .zeroAdvantages: [.grpoRare]
    case .fusedProjections: [.step, .sampling]
    case .mergedWeights, .packedWeights: [.sampling, .samplingM]
    case .noGradientBelow: [.stepUpper]
    case .vectorKernels: [.step, .sampling, .grpo]
    }
  }
}

extension DecoderSavings {
  /// All but one; those that are the choice of a batch are left to the caller.
  init(without saving: Saving?) {
    self.init()
    switch saving {
    case .fusedProjections: fusesProjections = false
    case .mergedWeights: mergesWeights = false
    case .packedWeights: packsWeights = false
    case .noGradientBelow: stopsAtFirstTrained = false
    case .vectorKernels: usesVectorKernels = false
    case .sharedPrompts, .zeroAdvantages, nil: break
    }
  }
}
