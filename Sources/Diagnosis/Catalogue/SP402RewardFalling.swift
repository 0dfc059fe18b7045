/// The reward lies well below its peak, and stays there.
enum RewardFalling: FindingKind {
  /// Records in a row.
  static let stretch = 8
  static let share = 0.2

  static let page = FindingPage(
    "SP402", "reward-falling", .warning,
    meaning:
      "The mean reward of the last five records has been a fifth or more below its peak for eight records, by more than its noise.",
    harm: "It may recover; together with a spectral warning it is a collapse under way.",
    evidence: "The peak, the mean now, and the chance of such a fall from the noise of records.",
    thresholds: [
      .provisional(
        "fall ÷ peak", "1/5, 8 records in a row, p < 0.01 over all looks", falseAlarms: BehaviourErrors.fall,
        misses: "collapses faster than 8 records, which are reward-collapsed at once")
    ],
    source:
      "Behavioural confirmation as the evidence on published collapses suggests it: PiSSA's took 100 steps and more.")

  static let columns = ["reward"]

  static func remedy(for setup: RunSetup) -> String {
    "Look at the weights: if velocity is high, lower the rate; if a task or reward changed, that is the reason."
  }

  static func judge(_ run: RunEvidence) -> Judgement {
    let reward = run.timeline["reward"]
    guard let fall = FallFromPeak(reward).stretch(of: stretch, where: { $1.share($0) >= share }) else {
      return Judgement()
    }
    return Judgement([
      finding(
        in: run, step: fall.first.step, earliest: fall.earliest, value: fall.last.mean,
        threshold: (1 - share) * fall.last.peak,
        baseline: fall.last.peak, pValue: fall.pValue,
        effectSize: fall.last.share(fall.last.mean),
        "the reward has been \((100 * share).brief) % or more below its peak of \(fall.last.peak.brief) since step \(fall.first.step), at "
          + "\(fall.last.mean.brief) by step \(fall.last.step)")
    ])
  }
}
