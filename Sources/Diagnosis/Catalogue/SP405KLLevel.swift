/// The policy is far from the reference.
enum KLLevel: FindingKind {
  static let page = FindingPage(
    "SP405", "kl-level", .warning,
    meaning:
      "The KL divergence to the reference, in the median of the last five steps, is above that of healthy laboratory runs.",
    harm: "What the base knew is being left behind. The level depends on the base, and lags behind its velocity.",
    evidence: "The median of five steps, in nats a token.",
    thresholds: [
      .calibrated(
        "median of five steps, nats a token", BehaviourBound.klLevel.value.brief,
        falseAlarms: BehaviourBound.klLevel.falseAlarms, misses: BehaviourBound.klLevel.missed)
    ],
    source: "notebooks-data/corpus; large models in reinforcement learning end at 0.01 to 0.1.")

  static let columns = ["kl"]

  static func remedy(for setup: RunSetup) -> String {
    (setup.klCoefficient ?? 0) > 0
      ? "Raise the KL coefficient above \(setup.klCoefficient!.brief), or lower the rate."
      : "Add a KL penalty, or lower the rate; measure retention."
  }

  static func judge(_ run: RunEvidence) -> Judgement {
    let medians = run.timeline["kl"].trailing(5) { Diagnosis.median($0)! }
    guard let first = medians.points.first(where: { $0.value > BehaviourBound.klLevel.value }) else {
      return Judgement()
    }
    return Judgement([
      finding(
        in: run, step: first.step, earliest: run.timeline["kl"].record(4, before: first.step),
        severity: CalibratedRange.gap(of: run) == nil ? .warning : .info, value: first.value,
        threshold: BehaviourBound.klLevel.value, pValue: BehaviourBound.klLevel.pValue(first.value, in: run),
        effectSize: first.value / BehaviourBound.klLevel.value,
        "the policy's KL to the reference is \(first.value.brief) nats a token")
    ])
  }
}
