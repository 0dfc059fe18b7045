import LinearAlgebra

/// Completions of some prompts, with their rewards.
struct Rollout {
  /// The completions of one prompt.
  struct Group {
    let prompt: [Int32]
    let completions: [Completion<Float>]
    let rewards: [Double]

    /// True where rewards differ, so that there is something to compare.
    var isMixed: Bool { rewards.contains { $0 != rewards[0] } }
  }

  let groups: [Group]
  let batch: CompletionBatch

  init(_ groups: [Group]) {
    self.groups = groups
    batch = CompletionBatch(
      groups.map { TokenGroup(prompt: $0.prompt, completions: $0.completions.map(\.tokens)) })
  }

  /// Draws a completion of each problem for each of its generators, and has the task judge them.
  init(
    of problems: [Problem], task: any VerifiableTask, tokenizer: CharacterTokenizer, model: AdaptedModel<Float>,
    generators: [[SeededGenerator]], options: SamplingOptions
  ) throws(TokenizationError) {
    let requests = try zip(problems, generators).map { problem, generators throws(TokenizationError) in
      SamplingRequest(prompt: try tokenizer.encode(problem.prompt), generators: generators)
    }
    let completions = model.sample(requests, options)
    self.init(
      zip(problems, requests).enumerated().map { index, part in
        let rewards = completions[index].map { completion in
          let text = tokenizer.decode(completion.hasEnded ? completion.tokens.dropLast() : completion.tokens[...])
          return task.reward(completion: text, isEnded: completion.hasEnded, for: part.0)
        }
        return Group(prompt: part.1.prompt, completions: completions[index], rewards: rewards)
      })
  }

  private var all: [Completion<Float>] { groups.flatMap(\.completions) }

  /// The mean reward.
  var meanReward: Double { mean(groups.flatMap(\.rewards)) }

  /// What the loss needs to know of each completion, by group.
  var outcomes: [[CompletionWeights.Outcome]] {
    groups.map { group in
      zip(group.completions, group.rewards).map {
        CompletionWeights.Outcome(reward: $1, length: $0.tokens.count, hasEnded: $0.hasEnded)
      }
    }
  }

  /// What the completions and rewards say, by the names of `training.csv`.
  func describe(_ record: inout TrainingRecord) {
    let rewards = groups.map(\.rewards)
    func share(_ isSo: ([Double]) -> Bool) -> Double { Double(rewards.count(where: isSo)) / Double(groups.count) }
    let lengths = all.map { Double($0.tokens.count) }
    record["reward"] = meanReward
    record["reward_std"] = mean(rewards.map(sampleDeviation))
    record["frac_reward_zero_std"] = Double(groups.count { !$0.isMixed }) / Double(groups.count)
    record["frac_all_pass"] = share { $0.allSatisfy { $0 == 1 } }
    record["frac_all_fail"] = share { $0.allSatisfy { $0 == 0 } }
    record["entropy"] = mean(all.flatMap { $0.entropies.map(Double.init) })
    record["completions_mean_length"] = mean(lengths)
    record["completions_clipped_ratio"] = Double(all.count { !$0.hasEnded }) / Double(all.count)
  }

  /// The log-probabilities with which the tokens were drawn, by their number in the batch.
  var drawnLogProbabilities: [Float] { all.flatMap(\.logProbabilities) }
}
