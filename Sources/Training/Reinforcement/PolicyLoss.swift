import RealModule

/// The objective of group-relative policy optimisation, as a loss. The one owner of the defaults.
///
/// Sources: GRPO, Shao et al. 2024 (arXiv 2402.03300); the token-level loss and the higher upper clip, Yu et al. 2025 (DAPO, 2503.14476);
/// no standard deviation and a constant divisor, Liu et al. 2025 (Dr.GRPO, 2503.20783). All as TRL 1.16 computes them.
///
/// The defaults are those of `grpo`: what TRL calls the loss type `dapo`, with DAPO's clipping, which is also the laboratory's experiment.
/// The objective of the GRPO paper is `.sequence` with `clipHigh` 0.2 and `klCoefficient` 0.04.
package struct PolicyLossOptions: Equatable, Sendable {
  /// What the sum over tokens is divided by.
  package enum Aggregation: String, CaseIterable, Sendable {
    /// The number of tokens of the batch: a mean over tokens, in which a long completion weighs more.
    case token
    /// Each token by the length of its completion and the number of completions: the mean of the completions' own means.
    case sequence
    /// The number of completions times the most tokens that one can have: the same whatever was drawn.
    case constant
  }

  /// What an advantage r − mean(group) is divided by.
  package enum RewardScale: String, CaseIterable, Sendable {
    /// The group's standard deviation + 1e-4.
    case group
    /// That of all rewards of the batch + 1e-4.
    case batch
    /// Nothing.
    case none
  }

  package var aggregation: Aggregation
  package var rewardScale: RewardScale
  /// The ratio π/π_old is clipped below 1 − this; from 0 to 1.
  package var clipLow: Double
  /// The ratio is clipped above 1 + this; at least 0.
  package var clipHigh: Double
  /// β of the KL penalty to the reference.
  package var klCoefficient: Double

  package init(
    aggregation: Aggregation = .token, rewardScale: RewardScale = .group, clipLow: Double = 0.2,
    clipHigh: Double = 0.28, klCoefficient: Double = 0
  ) {
    self.aggregation = aggregation
    self.rewardScale = rewardScale
    self.clipLow = clipLow
    self.clipHigh = clipHigh
    self.klCoefficient = klCoefficient
  }
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
