/// How each completion of a batch counts in the loss: its advantage, and what its tokens' losses are divided by.
package struct CompletionWeights: Sendable {
  package struct Weight: Equatable, Sendable {
    package var advantage: Double
    package var divisor: Double
  }

  /// What is known of a completion once it is drawn and judged.
  package struct Outcome: Equatable, Sendable {
    package var reward: Double
    /// How many tokens it has, its end included.
    package var length: Int
    /// False where it was cut.
    package var hasEnded: Bool

    package init(reward: Double, length: Int, hasEnded: Bool) {
      self.reward = reward
      self.length = length
      self.hasEnded = hasEnded
    }
  }

  /// By group and completion; nil for one that has no part in the loss.
  package let weights: [[Weight?]]
  /// How many tokens the loss is about: all but those that were filtered out. Those of groups that teach nothing count.
  package let tokenCount: Int

  /// - Parameter maximumLength: the most tokens that a completion can have.
  package init(
    _ groups: [[Outcome]], _ options: PolicyLossOptions, overlong: OverlongOptions, maximumLength: Int
  ) {
    func isFiltered(_ outcome: Outcome) -> Bool { overlong.handling == .filter && !outcome.hasEnded }
    func shaped(_ outcome: Outcome) -> Double {
      guard overlong.handling == .soft else { return outcome.reward }
      return outcome.reward + overlong.penalty(length: outcome.length, maximum: maximumLength)
    }
    let tokenCount = groups.joined().reduce(0) { $0 + (isFiltered($1) ? 0 : $1.length) }
    let completions = groups.reduce(0) { $0 + $1.count }
    func divisor(_ outcome: Outcome) -> Double {
      switch options.aggregation {
      case .token: Double(tokenCount)
      case .sequence: Double(completions) * Double(outcome.length)
      case .constant: Double(completions) * Double(maximumLength)
      }
    }
    let advantages = advantages(of: groups.map { $0.map(shaped) }, scaledBy: options.rewardScale)
    weights = zip(groups, advantages).map { group, advantages in
      // A group that teaches nothing still feels the pull of a penalty.
      guard advantages != nil || options.klCoefficient > 0 else { return group.map { _ in nil } }
      return group.indices.map { index in
        if isFiltered(group[index]) { return nil }
        return Weight(advantage: advantages?[index] ?? 0, divisor: divisor(group[index]))
      }
    }
    self.tokenCount = tokenCount
  }
}
