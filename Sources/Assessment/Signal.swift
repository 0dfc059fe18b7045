import Diagnosis
import Spectra

/// A number that a run has at every step and that may warn of a collapse: the higher, the worse.
package enum Signal: String, CaseIterable, Sendable {
  // Weights
  case updateVelocity = "update_velocity"
  case shiftVelocity = "shift_velocity"
  /// A stride's size and shift, in units of what is usual at its step: what bounds are bounds of.
  case strideSize = "stride_size"
  case strideShift = "stride_shift"
  /// What the verdict from weights looks at: strides ÷ the bounds of their method.
  case strideExcess = "stride_excess"
  // Behaviour: what trainers log and people watch
  case klIncrement = "kl_increment"
  case klLevel = "kl_level"
  case rewardDrop = "reward_drop"
  /// The same beyond its noise: what the verdict looks at.
  case rewardFall = "reward_fall"
  case entropyRise = "entropy_rise"
  case gradientNorm = "gradient_norm"

  /// The baselines, each with a threshold of its own and nothing else.
  package static let behaviour: [Signal] = [.klIncrement, .klLevel, .rewardDrop, .entropyRise, .gradientNorm]

  /// Its values in a run, each from what was known at its step.
  package func series(of run: RunEvidence) -> Series {
    switch self {
    case .updateVelocity: run.updateVelocity
    case .shiftVelocity: run.shiftVelocity
    case .strideSize: Series(run.strides.map { Series.Point(step: $0.step, value: $0.relativeSize) })
    case .strideShift:
      Series(
        run.strides.compactMap { stride in stride.relativeShift.map { Series.Point(step: stride.step, value: $0) } })
    case .strideExcess: Series(run.strideExcesses.map { Series.Point(step: $0.stride.step, value: $0.total) })
    // A single estimate of KL has so heavy a tail that the median of a few says more.
    case .klIncrement: run.timeline["kl_increment"].trailing(5) { median($0)! }
    case .klLevel: run.timeline["kl"].trailing(5) { median($0)! }
    case .rewardDrop: Self.drop(run.timeline["reward"])
    case .rewardFall: SmoothedFall(run.timeline["reward"]).shares
    case .entropyRise: Self.rise(run.timeline["entropy"].trailing(5) { median($0)! })
    case .gradientNorm: run.timeline["grad_norm"]
    }
  }

  /// How far an exponential mean lies below its own peak, as a share of it.
  private static func drop(_ reward: Series) -> Series {
    guard let first = reward.points.first else { return Series() }
    var (smooth, peak) = (first.value, first.value)
    return reward.map { point in
      smooth += SmoothedFall.weight * (point.value - smooth)
      peak = max(peak, smooth)
      return peak > 0 ? 1 - smooth / peak : 0
    }
  }

  private static func rise(_ series: Series) -> Series {
    var lowest = Double.infinity
    return series.map { point in
      lowest = min(lowest, point.value)
      return point.value - lowest
    }
  }
}
