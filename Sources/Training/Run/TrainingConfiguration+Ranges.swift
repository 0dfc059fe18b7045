import Adapters
import OrderedCollections

extension TrainingConfiguration {
  /// The first member whose value is out of its range, and what is wrong with it; nil where there is none.
  ///
  /// What depends on the base is checked when training begins.
  package var problem: (name: String, problem: String)? {
    for (name, value) in counts where value < 1 { return (name, "must be at least 1, found \(value)") }
    for (name, value) in counts + otherCounts where value > Self.mostOfAnything {
      return (name, "must be at most \(Self.mostOfAnything), found \(value)")
    }
    if prompts * groupSize > Self.mostSequences {
      return ("group_size", "must leave at most \(Self.mostSequences) completions a step, found \(prompts * groupSize)")
    }
    for (name, value) in positiveNumbers where !(value > 0 && value.isFinite) {
      return (name, "must be a positive number, found \(value)")
    }
    for (name, value) in otherNumbers where !(value >= 0 && value.isFinite) {
      return (name, "must be 0 or a positive number, found \(value)")
    }
    for (name, value) in otherCounts where value < 0 { return (name, "must be at least 0, found \(value)") }
    for (name, value) in [("beta1", optimizer.beta1), ("beta2", optimizer.beta2)] where !(0..<1).contains(value) {
      return (name, "must be at least 0 and below 1, found \(value)")
    }
    if !(0..<1).contains(adapter.dropout) {
      return ("dropout", "must be at least 0 and below 1, found \(adapter.dropout)")
    }
    if !(0...1).contains(policyLoss.clipLow) {
      return ("clip_low", "must be from 0 to 1, found \(policyLoss.clipLow)")
    }
    if objective.isReinforcement, groupSize < 2 {
      return (
        "group_size", "must be at least 2 for \(objective.rawValue), which compares completions, found \(groupSize)"
      )
    }
    return taskProblem
  }

  /// Beyond what memory and time allow, and far from what arithmetic does.
  private static let mostOfAnything = 1 << 24
  private static let mostSequences = 1 << 20

  private var taskProblem: (name: String, problem: String)? {
    let (tolerance, share) = (questions.verifier.tolerance, questions.testShare)
    if !(tolerance >= 0 && tolerance.isFinite) {
      return ("tolerance", "must be 0 or a positive number, found \(tolerance)")
    }
    if !(share > 0 && share < 1) { return ("test_share", "must lie between 0 and 1, found \(share)") }
    return nil
  }

  private var counts: [(name: String, value: Int)] {
    [
      ("rank", adapter.rank ?? 1), ("adalora_initial_rank", adapter.adalora.initialRank ?? 1),
      ("adalora_interval", adapter.adalora.interval), ("steps", steps), ("prompts", prompts),
      ("group_size", groupSize), ("updates_per_rollout", updatesPerRollout), ("checkpoint_every", checkpointEvery),
      ("held_out", heldOutCount), ("retention", retentionCount), ("overlong_cache", overlong.cache ?? 1),
      ("most_sampling_rounds", dynamicSampling.mostRounds),
    ] + adapter.rankPattern.values.map { ("rank_pattern", $0) }
  }

  private var otherCounts: [(name: String, value: Int)] {
    [
      ("pissa_niter", adapter.pissaIterations ?? 0), ("warmup_steps", warmupSteps),
      ("zero_reward_patience", zeroRewardPatience),
      ("adalora_initial_steps", adapter.adalora.initialSteps), ("adalora_final_steps", adapter.adalora.finalSteps),
    ]
  }

  private var positiveNumbers: [(name: String, value: Double)] {
    [
      ("alpha", adapter.alpha ?? 1), ("lora_plus_ratio", adapter.rateRatio), ("learning_rate", learningRate),
      ("temperature", temperature), ("maximum_gradient_norm", maximumGradientNorm),
    ] + adapter.alphaPattern.values.map { ("alpha_pattern", $0) }
  }

  private var otherNumbers: [(name: String, value: Double)] {
    [
      ("clip_high", policyLoss.clipHigh), ("kl_coefficient", policyLoss.klCoefficient),
      ("weight_decay", optimizer.weightDecay),
      ("adalora_orthogonality", adapter.adalora.orthogonality), ("vera_initial", abs(adapter.veraInitial)),
      ("epsilon", optimizer.epsilon ?? 0),
    ]
  }
}
