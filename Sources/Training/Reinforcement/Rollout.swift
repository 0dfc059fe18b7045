import LinearAlgebra

/// The completions of one step, with their rewards.
struct Rollout {
  let batch: CompletionBatch
  /// By prompt, then completion.
  let completions: [[Completion<Float>]]
  let rewards: [[Double]]

  /// Draws `groupSize` completions of each problem and has the task judge them.
  init(
    of problems: [Problem], task: any VerifiableTask, tokenizer: CharacterTokenizer, model: AdaptedModel<Float>,
    generators: [[SeededGenerator]], options: SamplingOptions
  ) throws(TokenizationError) {
    let requests = try zip(problems, generators).map { problem, generators throws(TokenizationError) in
      SamplingRequest(prompt: try tokenizer.encode(problem.prompt), generators: generators)
    }
    completions = model.sample(requests, options)
    batch = CompletionBatch(
      zip(requests, completions).map { TokenGroup(prompt: $0.prompt, completions: $1.map(\.tokens)) })
    rewards = zip(problems, completions).map { problem, group in
      group.map { completion in
        let text = tokenizer.decode(completion.hasEnded ? completion.tokens.dropLast() : completion.tokens[...])
        return task.reward(completion: text, isEnded: completion.hasEnded, for: problem)
      }
    }
  }

  private var all: [Completion<Float>] { completions.flatMap { $0 } }

  /// The mean reward.
  var meanReward: Double { mean(rewards.flatMap { $0 }) }

  /// What the completions and rewards say, by the names of `training.csv`.
  func describe(_ record: inout TrainingRecord) {
    let groups = Double(rewards.count)
    func share(_ isSo: ([Double]) -> Bool) -> Double { Double(rewards.count(where: isSo)) / groups }
    let lengths = all.map { Double($0.tokens.count) }
    record["reward"] = meanReward
    record["reward_std"] = mean(rewards.map(sampleDeviation))
    record["frac_reward_zero_std"] = share { group in group.allSatisfy { $0 == group[0] } }
    record["frac_all_pass"] = share { $0.allSatisfy { $0 == 1 } }
    record["frac_all_fail"] = share { $0.allSatisfy { $0 == 0 } }
    record["entropy"] = mean(all.flatMap { $0.entropies.map(Double.init) })
    record["completions_mean_length"] = mean(lengths)
    record["completions_clipped_ratio"] = Double(all.count { !$0.hasEnded }) / Double(all.count)
  }

  /// The log-probabilities with which the tokens were drawn, by their number in the batch.
  var drawnLogProbabilities: [Float] { all.flatMap(\.logProbabilities) }
}

func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }

/// The sample standard deviation; 0 of one value.
private func sampleDeviation(_ values: [Double]) -> Double {
  guard values.count > 1 else { return 0 }
  let mean = mean(values)
  return (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count - 1)).squareRoot()
}
