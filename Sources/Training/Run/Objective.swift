extension TrainingConfiguration {
  package enum Objective: String, CaseIterable, Sendable {
    /// Group-relative policy optimisation as the laboratory's experiment has it: the token-level loss and clipping of DAPO over advantages
    /// that are divided by the group's standard deviation. It is what TRL does by default, but for the higher upper clip.
    case grpo
    /// `grpo` with dynamic sampling and the overlong filter. Its loss was DAPO's already.
    ///
    /// The filter rather than the soft penalty: the tasks give a response no more room than a right one may need, so that the penalty
    /// would take back the reward of right ones.
    case dapo
    /// Dr.GRPO: no standard deviation, a constant divisor, the same clip on both sides.
    case drGRPO = "dr-grpo"
    /// Supervised learning of the task's responses.
    case sft

    /// True for those that learn from rewards of completions which they compare.
    package var isReinforcement: Bool { self != .sft }

    fileprivate var policyLoss: PolicyLossOptions {
      switch self {
      case .grpo, .dapo, .sft: PolicyLossOptions()
      case .drGRPO: PolicyLossOptions(aggregation: .constant, rewardScale: .none, clipHigh: 0.2)
      }
    }
  }

  /// What is wished otherwise than the objective has it; nil for what is not.
  package struct ObjectiveOverrides: Equatable, Sendable {
    package var aggregation: PolicyLossOptions.Aggregation?
    package var rewardScale: PolicyLossOptions.RewardScale?
    package var clipLow: Double?
    package var clipHigh: Double?
    package var klCoefficient: Double?
    package var overlong: OverlongOptions.Handling?
    package var overlongCache: Int?
    package var dynamicSampling: Bool?
    package var mostSamplingRounds: Int?

    package init() {}
  }

  /// The loss of the objective, with what is wished otherwise.
  package var policyLoss: PolicyLossOptions {
    var options = objective.policyLoss
    options.aggregation = overrides.aggregation ?? options.aggregation
    options.rewardScale = overrides.rewardScale ?? options.rewardScale
    options.clipLow = overrides.clipLow ?? options.clipLow
    options.clipHigh = overrides.clipHigh ?? options.clipHigh
    options.klCoefficient = overrides.klCoefficient ?? options.klCoefficient
    return options
  }

  /// What becomes of completions that are too long.
  package var overlong: OverlongOptions {
    OverlongOptions(
      handling: overrides.overlong ?? (objective == .dapo ? .filter : .none), cache: overrides.overlongCache)
  }

  /// Whether groups that teach nothing are replaced.
  package var dynamicSampling: DynamicSampling {
    DynamicSampling(
      isOn: overrides.dynamicSampling ?? (objective == .dapo),
      mostRounds: overrides.mostSamplingRounds ?? DynamicSampling().mostRounds)
  }
}
