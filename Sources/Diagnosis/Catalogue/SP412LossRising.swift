/// A supervised loss has risen far above its own lowest value.
enum LossRising: FindingKind {
  static let stretch = 3

  static let page = FindingPage(
    "SP412", "loss-rising", .alert,
    meaning:
      "The loss of supervised training, in the mean of the last five records, has risen by more than all that it had fallen, three times in a row.",
    harm: "Training has diverged: the model is worse than at its start.",
    evidence: "The loss at the start, at its lowest, and now.",
    thresholds: [
      .derived(
        "rise over the lowest ÷ fall from the first record to the lowest", "1, and p < 0.01 over all looks",
        falseAlarms: "a change of the data", misses: "a loss that rises less than it had fallen")
    ],
    source: "What divergence means; noise as in FallFromPeak.")

  static func remedy(for setup: RunSetup) -> String {
    "Go back to the last healthy checkpoint, and from there on at a third of the learning rate or less."
  }

  static func judge(_ run: RunEvidence) -> Judgement {
    // With a reward, the loss is a policy gradient's and says nothing.
    guard run.timeline["reward"].isEmpty else { return Judgement() }
    let loss = run.timeline["loss"]
    guard let start = loss.points.first?.value, loss.count > FallFromPeak.width + stretch else { return Judgement() }
    let falls = FallFromPeak(loss.map { -$0.value })
    for end in stretch...max(stretch, falls.points.count) where end <= falls.points.count {
      let window = falls.points[(end - stretch)..<end]
      let p = Sequential.adjusted(window.map(\.pValue).max()!, look: end - stretch + 1)
      let lowest = -window.first!.peak
      guard window.allSatisfy({ -$0.mean > max(start, lowest + (start - lowest)) }), p < Sequential.level else {
        continue
      }
      return Judgement([
        finding(
          in: run, step: window.first!.step, value: -window.last!.mean, threshold: start, baseline: lowest, pValue: p,
          effectSize: (-window.last!.mean - lowest) / max(start - lowest, .leastNormalMagnitude),
          cause: StepSizeCause.cause(of: window.first!.step, in: run),
          "the loss has risen to \((-window.last!.mean).brief), from \(lowest.brief) at its lowest and \(start.brief) at the start"
        )
      ])
    }
    return Judgement()
  }
}
