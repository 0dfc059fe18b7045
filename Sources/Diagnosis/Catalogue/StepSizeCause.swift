import Spectra

/// Whether the size of the steps brought a collapse of behaviour about.
enum StepSizeCause {
  /// Step size, where steps had become several times as large as the run's own first ones when it began, whatever the learning rate was meant
  /// to be; nil where the weights do not say.
  static func cause(of onset: Int, in run: RunEvidence) -> Cause? {
    let velocity = run.updateVelocity.points.filter { $0.value > 0 }
    // The stretch that the onset lies in is measured at its end.
    guard let last = velocity.firstIndex(where: { $0.step >= onset }), last >= OwnPace.least - 1,
      let past = Diagnosis.median(velocity.prefix(OwnPace.least - 1).map(\.value)),
      let most = velocity[(OwnPace.least - 1)...last].map(\.value).max(), most >= VelocityJump.leastRatio * past
    else { return nil }
    return .stepSize
  }
}
