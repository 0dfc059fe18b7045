/// The reward lies well below its peak, and stays there.
enum RewardFalling: FindingKind {
  /// Records in a row.
  static let stretch = 8
  static let share = 0.2

  static let page = FindingPage(
    "SP402", "reward-falling", .alert,
    meaning:
      "The reward's exponential mean has lost more of its peak than one in two hundred healthy laboratory runs does (alert), or the mean of the last "
      + "five records has been a fifth or more below its peak for eight records (warning); either by more than its noise.",
    harm:
      "A slow collapse shows here, whatever its steps look like. A warning may recover; together with a spectral one it is a collapse under way.",
    evidence: "The peak, the mean now, and for a warning the chance of such a fall from the noise of records.",
    thresholds: [
      .calibrated(
        "alert: fall ÷ peak of the mean that gives a new reward \(SmoothedFall.weight.brief), beyond its noise",
        BehaviourBound.rewardFall.value.brief, falseAlarms: BehaviourBound.rewardFall.falseAlarms,
        misses: BehaviourBound.rewardFall.missed),
      .provisional(
        "warning: fall ÷ peak", "1/5, 8 records in a row, p < 0.01 over all looks", falseAlarms: BehaviourErrors.fall,
        misses: "collapses faster than 8 records"),
    ],
    source:
      "notebooks-data/corpus; behavioural confirmation as the evidence on published collapses suggests it: PiSSA's took 100 steps and more."
  )

  static let columns = ["reward"]

  static func remedy(for setup: RunSetup) -> String {
    "Look at the weights: if velocity is high, lower the rate; if a task or reward changed, that is the reason."
  }

  static func judge(_ run: RunEvidence) -> Judgement {
    let reward = run.timeline["reward"]
    if let alert = alert(reward, in: run) { return Judgement([alert]) }
    guard let fall = FallFromPeak(reward).stretch(of: stretch, where: { $1.share($0) >= share }) else {
      return Judgement()
    }
    return Judgement([
      finding(
        in: run, step: fall.first.step, earliest: fall.earliest, severity: .warning, value: fall.last.mean,
        threshold: (1 - share) * fall.last.peak,
        baseline: fall.last.peak, pValue: fall.pValue,
        effectSize: fall.last.share(fall.last.mean),
        "the reward has been \((100 * share).brief) % or more below its peak of \(fall.last.peak.brief) since step \(fall.first.step), at "
          + "\(fall.last.mean.brief) by step \(fall.last.step)")
    ])
  }

  /// Nil for a run of another kind, or longer, than those that the bound is from.
  private static func alert(_ reward: Series, in run: RunEvidence) -> Finding? {
    let bound = BehaviourBound.rewardFall
    let fall = SmoothedFall(reward)
    guard CalibratedRange.gap(of: run) == nil, let (point, height) = fall.first(beyond: bound.value),
      CalibratedRange.gap(ofStep: point.step) == nil
    else { return nil }
    let largest = fall.shares.maximum!.value
    return finding(
      in: run, step: point.step, earliest: height + 1, value: largest, threshold: bound.value,
      pValue: bound.pValue(largest, in: run), effectSize: largest,
      cause: StepSizeCause.cause(of: point.step, in: run),
      "the reward's exponential mean has lost \((100 * largest).brief) % of its peak since step \(height), by more than its noise; the bound is "
        + "\((100 * bound.value).brief) %")
  }
}
