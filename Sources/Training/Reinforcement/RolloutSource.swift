import LinearAlgebra

/// Whether groups that teach nothing are replaced (DAPO, arXiv 2503.14476, section 3.2). The one owner of the defaults.
package struct DynamicSampling: Equatable, Sendable {
  /// True to replace groups of equal rewards, all right or all wrong, by groups of fresh prompts.
  package var isOn: Bool
  /// How many times a step draws at most, the first time included. A policy that has collapsed has no mixed group at any price.
  package var mostRounds: Int

  package init(isOn: Bool = false, mostRounds: Int = 10) {
    self.isOn = isOn
    self.mostRounds = mostRounds
  }
}

/// Draws the completions that a step learns from.
struct RolloutSource {
  private let configuration: TrainingConfiguration
  private let task: any VerifiableTask
  private let tokenizer: CharacterTokenizer
  private let heldOut: HeldOutSet

  init(
    _ configuration: TrainingConfiguration, task: any VerifiableTask, tokenizer: CharacterTokenizer,
    heldOut: HeldOutSet
  ) {
    self.configuration = configuration
    self.task = task
    self.tokenizer = tokenizer
    self.heldOut = heldOut
  }

  /// The completions of the step's own prompts, whatever becomes of them.
  func first(_ step: Int, _ model: AdaptedModel<Float>) throws(TokenizationError) -> Rollout {
    try draw(step, round: 0, prompts: configuration.prompts, model)
  }

  /// What was drawn for a step.
  struct Filled {
    /// The groups to learn from, at most as many as the step has prompts.
    var rollout: Rollout
    /// How many times completions were drawn.
    var rounds: Int
    /// The share of all drawn groups that was kept.
    var keptShare: Double
  }

  /// The mixed groups of `first`, and of fresh prompts in place of the others, round after round, until there are as many as the step has
  /// prompts. A round draws as many prompts as are missing, so that none is drawn in vain.
  func filled(
    _ first: Rollout, _ step: Int, _ model: AdaptedModel<Float>
  ) throws(TokenizationError) -> Filled {
    var kept = first.groups.filter(\.isMixed)
    var (drawn, rounds) = (first.groups.count, 1)
    while kept.count < configuration.prompts, rounds < configuration.dynamicSampling.mostRounds {
      let missing = configuration.prompts - kept.count
      let fresh = try draw(step, round: rounds, prompts: missing, model)
      kept += fresh.groups.filter(\.isMixed)
      drawn += missing
      rounds += 1
    }
    return Filled(rollout: Rollout(kept), rounds: rounds, keptShare: Double(kept.count) / Double(drawn))
  }

  /// Every round has random numbers of its own; those of round 0 are the same with and without dynamic sampling.
  private func draw(
    _ step: Int, round: Int, prompts: Int, _ model: AdaptedModel<Float>
  ) throws(TokenizationError) -> Rollout {
    let (place, suffix) = ([configuration.seed, step], round == 0 ? [] : [round])
    var generator = SeededGenerator(stream: .problems, at: place + suffix)
    let problems = (0..<prompts).map { _ in task.problem(&generator, excluding: heldOut) }
    let generators = problems.indices.map { prompt in
      (0..<configuration.groupSize).map { SeededGenerator(stream: .samples, at: place + [prompt, $0] + suffix) }
    }
    let options = SamplingOptions(
      temperature: configuration.temperature, maximumLength: task.maximumResponseLength, endToken: tokenizer.eos)
    return try Rollout(
      of: problems, task: task, tokenizer: tokenizer, model: model, generators: generators, options: options)
  }
}
