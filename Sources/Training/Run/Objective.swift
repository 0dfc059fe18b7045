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

  /// Takes an objective with all of its parts: the loss, what becomes of overlong completions, dynamic sampling. They can be changed
  /// one by one afterwards.
  package mutating func adopt(_ objective: Objective) {
    self.objective = objective
    policyLoss = objective.policyLoss
    overlong = OverlongOptions(handling: objective == .dapo ? .filter : .none)
    dynamicSampling = DynamicSampling(isOn: objective == .dapo)
  }
}
