/// The policy moves away from the reference faster than in any healthy run.
enum KLVelocity: FindingKind {
  static let page = FindingPage(
    "SP404", "kl-velocity", .alert, cause: .stepSize,
    meaning:
      "The KL divergence to the reference grows faster than in healthy laboratory runs, in the median of the last five steps.",
    harm:
      "It is the velocity of the policy. A median of five steps comes too late for a collapse that is over in a few, as most are.",
    evidence: "The median increment of KL a step over the last five, in nats a token.",
    thresholds: [
      .calibrated(
        "median increment of five steps, nats a token", BehaviourBound.klVelocity.value.brief,
        falseAlarms: BehaviourBound.klVelocity.falseAlarms,
        misses: BehaviourBound.klVelocity.missed)
    ],
    source: "notebooks-data/corpus; a median because a single estimate of KL has a heavy tail.")

  static let columns = ["kl_increment"]

  static func remedy(for setup: RunSetup) -> String { StepSizeRemedy.text(for: setup) }

  static func judge(_ run: RunEvidence) -> Judgement {
    let increments = run.timeline["kl_increment"]
    guard !increments.isEmpty else { return Judgement() }
    if let gap = CalibratedRange.gap(of: run) { return Judgement(gaps: [gap]) }
    let medians = increments.trailing(5) { Diagnosis.median($0)! }
    guard let first = medians.points.first(where: { $0.value > BehaviourBound.klVelocity.value }) else {
      return Judgement()
    }
    if let gap = CalibratedRange.gap(ofStep: first.step) { return Judgement(gaps: [gap]) }
    return Judgement([
      finding(
        in: run, step: first.step, earliest: increments.record(4, before: first.step), value: first.value,
        threshold: BehaviourBound.klVelocity.value, pValue: BehaviourBound.klVelocity.pValue(first.value, in: run),
        effectSize: first.value / BehaviourBound.klVelocity.value,
        "the policy's KL grows by \(first.value.brief) nats a token and step, where healthy runs stay below "
          + "\(BehaviourBound.klVelocity.value.brief)")
    ])
  }
}
