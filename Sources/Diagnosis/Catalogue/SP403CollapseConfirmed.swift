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
        falseAlarms: BehaviourErrors.confirmed,
        misses: "collapses whose weights look healthy: those of reward-collapsed remain")
    ],
    source: "The product of two pieces of evidence that err for different reasons.")

  static let columns = ["reward"]

  static func remedy(for setup: RunSetup) -> String {
    "Stop; go back to the last healthy checkpoint, and from there on at a third of the learning rate or less."
  }

  /// What comes of the findings that stand: a mismatch may have taken spectral ones away.
  static func finding(in run: RunEvidence, among findings: [Finding]) -> Finding? {
    guard let fall = findings.first(where: { $0.code == RewardFalling.page.code }), let onset = fall.step else {
      return nil
    }
    let spectral = findings.filter { finding in
      (finding.code.hasPrefix("SP2") || finding.code.hasPrefix("SP3")) && finding.severity >= .warning
        && finding.cause != .loadMismatch && finding.step ?? .max <= onset
    }
    guard let first = spectral.min(by: { ($0.step!, $0.code) < ($1.step!, $1.code) }) else { return nil }
    return finding(
      in: run, step: onset, earliest: fall.earliest, module: first.module, value: fall.value, threshold: fall.threshold,
      baseline: fall.baseline, pValue: fall.pValue, effectSize: fall.effectSize, cause: first.cause,
      "\(first.code) \(first.name) at step \(first.step!), and from step \(onset) on the reward has fallen: the weights led by "
        + "\(onset - first.step!) steps")
  }
}
