import Spectra

/// Whether the size of the steps brought a collapse of behaviour about.
enum StepSizeCause {
  /// Step size, where steps had become several times as large by the onset as rate and factors of the run's own first ones account for, or
  /// where the rate itself had leapt; nil where neither is so.
  static func cause(of onset: Int, in run: RunEvidence) -> Cause? {
    let rates = run.timeline["learning_rate"].points.filter { $0.step > 0 && $0.step <= onset }.map(\.value)
    if let usual = Diagnosis.median(rates), let most = rates.max(), most >= VelocityJump.leastRatio * usual {
      return .stepSize
    }
    let pace = OwnPace(run)
    guard let past = pace.past,
      pace.later.contains(where: { $0.step <= onset && $0.value >= VelocityJump.leastRatio * past.center })
    else { return nil }
    return .stepSize
  }
}
