/// A warning from the weights, and the reward falls: a collapse.
enum CollapseConfirmed: FindingKind {
  static let page = FindingPage(
    "SP403", "collapse-confirmed", .alert,
    meaning: "The weights gave a warning, and then the reward fell and stayed down.",
    harm: "Either alone may be harmless; both together are a collapse under way.",
    evidence: "The spectral finding that came first, and by how many steps it led the fall.",
    thresholds: [
      .provisional(
        "a finding SP2xx or SP3xx of severity warning before reward-falling", "1",
        falseAlarms: BehaviourBounds.confirmedErrors,
        misses: "collapses whose weights look healthy: those of reward-collapsed remain")
    ],
    source: "The product of two pieces of evidence that err for different reasons.")

  static func remedy(for setup: RunSetup) -> String {
    "Stop; go back to the last healthy checkpoint, and from there on at a third of the learning rate or less."
  }

  static func judge(_ run: RunEvidence) -> Judgement {
    guard let fall = RewardFalling.judge(run).findings.first, let onset = fall.step else { return Judgement() }
    let spectral = Catalogue.kinds.filter { $0.page.code.hasPrefix("SP2") || $0.page.code.hasPrefix("SP3") }
      .flatMap { $0.judge(run).findings }
      .filter { $0.severity >= .warning && $0.cause != .loadMismatch && $0.step ?? .max <= onset }
    guard let first = spectral.min(by: { $0.step! < $1.step! }) else { return Judgement() }
    return Judgement([
      finding(
        in: run, step: onset, module: first.module, value: fall.value, threshold: fall.threshold,
        baseline: fall.baseline,
        pValue: fall.pValue, effectSize: fall.effectSize, cause: first.cause,
        "\(first.code) \(first.name) at step \(first.step!), and from step \(onset) on the reward has fallen: the weights led by "
          + "\(onset - first.step!) steps")
    ])
  }
}
