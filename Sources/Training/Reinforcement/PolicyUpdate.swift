import LinearAlgebra

/// The tokens of a rollout that an update learns from, with what each needs.
///
/// Completions without a weight teach nothing and are not computed; those of equal rewards count in the mean all the same.
struct PolicyUpdate {
  let batch: CompletionBatch
  /// One a token.
  private let weights: [CompletionWeights.Weight]
  private let references: [Double]?
  private let options: PolicyLossOptions
  /// The number of tokens that shares of tokens refer to.
  private let tokenCount: Double
  /// Log-probabilities under the weights that drew the tokens; those of the first pass, so that its ratio is exactly 1.
  private var old: [Float]?

  /// - Parameter references: log-probabilities under the reference, by token of the rollout; needed for a KL penalty.
  /// - Returns: nil where nothing has a weight.
  init?(
    _ rollout: Rollout, references: [Float]?, _ options: PolicyLossOptions, overlong: OverlongOptions,
    maximumLength: Int
  ) {
    let counted = CompletionWeights(rollout.outcomes, options, overlong: overlong, maximumLength: maximumLength)
    var groups: [TokenGroup] = []
    var (weights, kept): ([CompletionWeights.Weight], [Double]) = ([], [])
    for (index, group) in rollout.batch.groups.enumerated() {
      var completions: [[Int32]] = []
      var number = rollout.batch.firstTokens[index]
      for (completion, weight) in zip(group.completions, counted.weights[index]) {
        defer { number += completion.count }
        guard let weight else { continue }
        completions.append(completion)
        weights += Array(repeating: weight, count: completion.count)
        if let references { kept += references[number..<number + completion.count].map(Double.init) }
      }
      if !completions.isEmpty { groups.append(TokenGroup(prompt: group.prompt, completions: completions)) }
    }
    guard !groups.isEmpty else { return nil }
    batch = CompletionBatch(groups)
    self.weights = weights
    self.references = options.klCoefficient > 0 ? kept : nil
    self.options = options
    tokenCount = Double(counted.tokenCount)
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

  /// The part of a token in the loss, by its number and its log-probability now and when drawn.
  private var tokenLoss: @Sendable (Int, Float, Float) -> TokenLoss {
    { [weights, references, options] number, now, old in
      var token = TokenLoss(
        now: Double(now), old: Double(old), reference: references?[number], advantage: weights[number].advantage,
        options)
      token.loss /= weights[number].divisor
      token.slope /= weights[number].divisor
      return token
    }
  }
}
