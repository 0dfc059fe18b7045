import Spectra

/// Whether the size of the steps brought a collapse of behaviour about.
package enum StepSizeCause {
  /// Step size, where steps had become several times as large by the onset as rate and factors of the run's own first ones account for, or
  /// where the rate itself had leapt; nil where neither is so.
  package static func cause(of onset: Int, in run: RunEvidence) -> Cause? {
    if hasLeapt(run.timeline["learning_rate"].points.filter { $0.step > 0 && $0.step <= onset }.map(\.value)) {
      return .stepSize
    }
    let pace = OwnPace(run)
    guard let past = pace.past,
      pace.later.contains(where: { $0.step <= onset && $0.value >= VelocityJump.leastRatio * past.center })
    else { return nil }
    return .stepSize
  }

  /// True where a rate is several times the median of those before it: not where it was lowered, by a schedule or by the run's own gate.
  private static func hasLeapt(_ rates: [Double]) -> Bool {
    // A schedule may begin at a rate of 0, or rest there.
    let rates = rates.filter { $0 > 0 }
    return rates.indices.contains { index in
      Diagnosis.median(Array(rates[..<index])).map { rates[index] >= VelocityJump.leastRatio * $0 } ?? false
    }
  }
}
