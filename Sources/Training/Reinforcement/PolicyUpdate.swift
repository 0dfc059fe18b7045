import LinearAlgebra

/// The tokens of a rollout that an update learns from, with what each needs.
///
/// Groups of equal rewards teach nothing; they are left out where there is no KL penalty, and count in the mean all the same.
struct PolicyUpdate {
  let batch: CompletionBatch
  /// One a token.
  private let advantages: [Double]
  private let references: [Double]?
  private let options: PolicyLossOptions
  /// The number of tokens that the loss is a mean over: all of the rollout's.
  private let tokenCount: Double
  /// Log-probabilities under the weights that drew the tokens; those of the first pass, so that its ratio is exactly 1.
  private var old: [Float]?

  /// - Parameter references: log-probabilities under the reference, by token of the rollout; needed for a KL penalty.
  /// - Returns: nil where no group teaches anything.
  init?(_ rollout: Rollout, references: [Float]?, _ options: PolicyLossOptions) {
    var groups: [TokenGroup] = []
    var (advantages, kept): ([Double], [Double]) = ([], [])
    for (index, group) in rollout.batch.groups.enumerated() {
      let values = groupAdvantages(of: rollout.rewards[index])
      guard values != nil || options.klCoefficient > 0 else { continue }
      groups.append(group)
      var number = rollout.batch.firstTokens[index]
      for (completion, advantage) in zip(group.completions, values ?? group.completions.map { _ in 0 }) {
        advantages += Array(repeating: advantage, count: completion.count)
        if let references { kept += references[number..<number + completion.count].map(Double.init) }
        number += completion.count
      }
    }
    guard !groups.isEmpty else { return nil }
    batch = CompletionBatch(groups)
    self.advantages = advantages
    self.references = options.klCoefficient > 0 ? kept : nil
    self.options = options
    tokenCount = Double(rollout.batch.tokenCount)
  }

  /// The gradient of the loss at the model's weights as they are, the loss, and the shares of tokens that are clipped.
  mutating func gradient(
    _ model: AdaptedModel<Float>, temperature: Double, dropoutPlace: [Int]
  ) -> (gradient: [Float], loss: Double, clippedLow: Double, clippedHigh: Double) {
    let (old, loss) = (old, tokenLoss)
    let (gradient, now) = model.gradient(
      batch, temperature: temperature, dropoutPlace: dropoutPlace
    ) { number, logProbability in
      Float(loss(number, logProbability, old?[number] ?? logProbability).slope)
    }
    self.old = old ?? now
    let losses = now.indices.map { loss($0, now[$0], old?[$0] ?? now[$0]) }
    func share(_ isSo: (TokenLoss) -> Bool) -> Double { Double(losses.count(where: isSo)) / tokenCount }
    return (
      gradient, losses.reduce(0) { $0 + $1.loss }, share(\.isClippedLow), share(\.isClippedHigh)
    )
  }

  /// The loss of a token, by its number and its log-probability now and when drawn, as its part of the mean.
  private var tokenLoss: @Sendable (Int, Float, Float) -> TokenLoss {
    { [advantages, references, options, tokenCount] number, now, old in
      var token = TokenLoss(
        now: Double(now), old: Double(old), reference: references?[number], advantage: advantages[number], options)
      token.loss /= tokenCount
      token.slope /= tokenCount
      return token
    }
  }
}
