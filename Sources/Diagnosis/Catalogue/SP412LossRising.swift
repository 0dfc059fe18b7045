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
        "rise over the lowest ÷ fall from the first five records to the lowest", "1, and p < 0.01 over all looks",
        falseAlarms: "a change of the data", misses: "a loss that rises less than it had fallen")
    ],
    source: "What divergence means; noise as in FallFromPeak.")

  static let columns = ["loss"]

  static func remedy(for setup: RunSetup) -> String {
    "Go back to the last healthy checkpoint, and from there on at a third of the learning rate or less."
  }

  static func judge(_ run: RunEvidence) -> Judgement {
    // With a reward, the loss is a policy gradient's and says nothing.
    guard run.timeline["reward"].isEmpty else { return Judgement() }
    let loss = run.timeline["loss"]
    guard let start = loss.trailing(FallFromPeak.width, Diagnosis.mean).points.first?.value,
      loss.count > FallFromPeak.width + stretch
    else { return Judgement() }
    guard
      let rise = FallFromPeak(loss.map { -$0.value }).stretch(of: stretch, where: { value, _ in -value > start })
    else { return Judgement() }
    let (lowest, now) = (-rise.first.peak, -rise.last.mean)
    return Judgement([
      finding(
        in: run, step: rise.first.step, earliest: rise.earliest, value: now, threshold: start, baseline: lowest,
        pValue: rise.pValue,
        effectSize: (now - lowest) / max(start - lowest, .leastNormalMagnitude),
        cause: StepSizeCause.cause(of: rise.first.step, in: run),
        "the loss has risen to \(now.brief), from \(lowest.brief) at its lowest and \(start.brief) at the start")
    ])
  }
}
