/// The policy is far from the reference.
enum KLLevel: FindingKind {
  static let page = FindingPage(
    "SP405", "kl-level", .warning,
    meaning:
      "The KL divergence to the reference, in the median of the last five steps, is above that of healthy laboratory runs.",
    harm: "What the base knew is being left behind. The level depends on the base, and lags behind its velocity.",
    evidence: "The median of five steps, in nats a token.",
    thresholds: [
      .provisional(
        "median of five steps, nats a token", BehaviourBounds.klLevel.brief, falseAlarms: BehaviourBounds.klLevelErrors,
        misses: "damage at a lower level")
    ],
    source: "notebooks-data/laboratory; large models in reinforcement learning end at 0.01 to 0.1.")

  static let columns = ["kl"]

  static func remedy(for setup: RunSetup) -> String {
    (setup.klCoefficient ?? 0) > 0
      ? "Raise the KL coefficient above \(setup.klCoefficient!.brief), or lower the rate."
      : "Add a KL penalty, or lower the rate; measure retention."
  }

  static func judge(_ run: RunEvidence) -> Judgement {
    let medians = run.timeline["kl"].trailing(5) { Diagnosis.median($0)! }
    guard let first = medians.points.first(where: { $0.value > BehaviourBounds.klLevel }) else { return Judgement() }
    return Judgement([
      finding(
        in: run, step: first.step, severity: CalibratedRange.gap(of: run) == nil ? .warning : .info, value: first.value,
        threshold: BehaviourBounds.klLevel, pValue: HealthyRuns.pValue(beyond: 2, in: run),
        effectSize: first.value / BehaviourBounds.klLevel,
        "the policy's KL to the reference is \(first.value.brief) nats a token")
    ])
  }
}
