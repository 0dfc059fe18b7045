import RealModule

/// The objective of group-relative policy optimisation. The one owner of the defaults.
///
/// Sources: GRPO, Shao et al. 2024; token-level loss and the higher upper clip, Yu et al. 2025 (DAPO), as TRL computes them.
package struct PolicyLossOptions: Equatable, Sendable {
  /// The ratio π/π_old is clipped below 1 − this.
  package var clipLow: Double
  /// The ratio is clipped above 1 + this.
  package var clipHigh: Double
  /// β of the KL penalty to the reference.
  package var klCoefficient: Double

  package init(clipLow: Double = 0.2, clipHigh: Double = 0.28, klCoefficient: Double = 0) {
    self.clipLow = clipLow
    self.clipHigh = clipHigh
    self.klCoefficient = klCoefficient
  }
}

/// Advantages of the completions of one prompt: (r − mean)/(std + 1e-4) with the sample standard deviation.
///
/// - Returns: nil where all rewards are equal, or there is only one: such a group teaches nothing.
package func groupAdvantages(of rewards: [Double]) -> [Double]? {
  let n = Double(rewards.count)
  guard let first = rewards.first, rewards.contains(where: { $0 != first }) else { return nil }
  let mean = rewards.reduce(0, +) / n
  let variance = rewards.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / (n - 1)
  return rewards.map { ($0 - mean) / (variance.squareRoot() + 1e-4) }
}

/// The loss of one token, −min(ρ·A, clip(ρ)·A) + β·k3, and its slope.
package struct TokenLoss: Equatable, Sendable {
  package var loss: Double
  /// ∂loss/∂log π of the token.
  package var slope: Double
  /// True where the ratio was below 1 − clipLow with A < 0, or above 1 + clipHigh with A > 0: there the first part has no slope.
  package var isClippedLow: Bool
  package var isClippedHigh: Bool
  /// k3 = π_ref/π − ln(π_ref/π) − 1 ≥ 0, whose mean over tokens drawn from π estimates KL(π‖π_ref) (Schulman 2020).
  package var k3: Double?

  /// - Parameters:
  ///   - now: log π of the token under the weights that train.
  ///   - old: the same under the weights that drew it.
  ///   - reference: the same under the reference; the penalty is left out where nil.
  package init(now: Double, old: Double, reference: Double?, advantage: Double, _ options: PolicyLossOptions) {
    let ratio = Double.exp(now - old)
    let clipped = min(max(ratio, 1 - options.clipLow), 1 + options.clipHigh)
    isClippedLow = ratio < 1 - options.clipLow && advantage < 0
    isClippedHigh = ratio > 1 + options.clipHigh && advantage > 0
    loss = -min(ratio * advantage, clipped * advantage)
    slope = isClippedLow || isClippedHigh ? 0 : -ratio * advantage
    k3 = reference.map { Self.k3(now: now, reference: $0) }
    if let reference, let k3 {
      loss += options.klCoefficient * k3
      slope += options.klCoefficient * (1 - Double.exp(reference - now))
    }
  }

  /// k3 = π_ref/π − ln(π_ref/π) − 1, from log-probabilities.
  package static func k3(now: Double, reference: Double) -> Double {
    let difference = reference - now
    return Double.expMinusOne(difference) - difference
  }
}
