/// The reward has lost half of what it had.
enum RewardCollapsed: FindingKind {
  /// Records in a row.
  static let stretch = 3
  static let share = 0.5

  static let page = FindingPage(
    "SP401", "reward-collapsed", .alert,
    meaning:
      "The mean reward of the last five records lies below half of its peak, three times in a row, by more than its noise.",
    harm: "What was learned is gone. Once every group fails there is no gradient left to come back with.",
    evidence: "The peak, the mean now, and the chance of such a fall from the noise of records.",
    thresholds: [
      .provisional(
        "fall ÷ peak", "½, 3 records in a row, p < 0.01 over all looks", falseAlarms: BehaviourErrors.collapse,
        misses: BehaviourErrors.collapseMisses)
    ],
    source: "The laboratory's rule for a collapsed run, read forwards.")

  static let columns = ["reward"]

  static func remedy(for setup: RunSetup) -> String {
    "Stop; go back to the last healthy checkpoint, and from there on at a third of the learning rate or less."
  }

  static func judge(_ run: RunEvidence) -> Judgement {
    let reward = run.timeline["reward"]
    guard !reward.isEmpty else { return Judgement() }
    guard let fall = FallFromPeak(reward).stretch(of: stretch, where: { $1.share($0) >= share }) else {
      return Judgement()
    }
    return Judgement([
      finding(
        in: run, step: fall.first.step, earliest: fall.earliest, value: fall.last.mean,
        threshold: (1 - share) * fall.last.peak,
        baseline: fall.last.peak, pValue: fall.pValue,
        effectSize: fall.last.share(fall.last.mean), cause: StepSizeCause.cause(of: fall.first.step, in: run),
        "the reward fell from \(fall.last.peak.brief) to \(fall.last.mean.brief) by step \(fall.last.step)")
    ])
  }
}
