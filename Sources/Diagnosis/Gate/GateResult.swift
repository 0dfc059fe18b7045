/// What a verdict comes to under a policy. The gate's exit code follows from this alone.
package struct GateResult: Sendable {
  /// A finding, and what the policy makes of it.
  package struct Entry: Sendable {
    package enum Standing: String, Sendable {
      /// It makes the gate fail.
      case fails
      /// It is shown, and the gate does not fail for it.
      case noted
      /// The policy says that it does not count; it is shown with the reason.
      case silenced
    }

    /// With the severity that it has here.
    package var finding: Finding
    /// The severity that the rule gave it.
    package var givenSeverity: Severity
    package var standing: Standing
    /// Why the policy treats it as it does; nil where it does nothing, or need not say why.
    package var reason: String?

    package var isSilenced: Bool { standing == .silenced }
    package var fails: Bool { standing == .fails }
  }

  /// Something that could not be judged, and whether the policy accepts that.
  package struct OpenQuestion: Sendable {
    package var gap: Gap
    package var isAccepted: Bool
  }

  package let outcome: Verdict.Outcome
  /// In the order of the verdict.
  package let entries: [Entry]
  package let questions: [OpenQuestion]
  /// What brought the findings about that fail, where the evidence tells.
  package let cause: Cause?
  /// The earliest step of a finding that fails.
  package let onset: Int?
  /// The last checkpoint before the onset.
  package let lastHealthyCheckpoint: Int?
  /// The last checkpoint that was looked at.
  package let lastCheckpoint: Int?
  /// Which rules had nothing to judge by.
  package let coverage: RuleCoverage

  package var exitCode: Int32 { outcome.exitCode }
}

extension Verdict.Outcome {
  /// 0 healthy, 1 alert, 2 inconclusive.
  package var exitCode: Int32 {
    switch self {
    case .healthy: 0
    case .alert: 1
    case .inconclusive: 2
    }
  }
}

extension GateResult {
  /// The verdict on a run, under a policy.
  package init(on run: RunEvidence, policy: GatePolicy) {
    let verdict = Verdict(on: run)
    self.init(verdict, policy: policy, coverage: RuleCoverage(of: run, verdict), checkpoints: run.checkpoints)
  }

  /// A verdict under a policy.
  ///
  /// A finding that fails makes it `alert`. Without one, anything that could not be judged and that the policy does not accept makes
  /// it `inconclusive`; else it is `healthy`.
  ///
  /// - Parameter checkpoints: the steps that were looked at, ascending. An alert that is silenced may move the onset.
  package init(
    _ verdict: Verdict, policy: GatePolicy = GatePolicy(), coverage: RuleCoverage = RuleCoverage(),
    checkpoints: [Int] = []
  ) {
    entries = verdict.findings.map { policy.entry(for: $0) }
    questions = verdict.gaps.map { OpenQuestion(gap: $0, isAccepted: policy.accepted.contains($0.kind)) }
    let failing = entries.filter(\.fails).map(\.finding)
    let isOpen = questions.contains { !$0.isAccepted }
    outcome = failing.isEmpty ? (isOpen ? .inconclusive : .healthy) : .alert
    let isMismatch = failing.contains { $0.cause == .loadMismatch }
    cause = isMismatch ? .loadMismatch : failing.lazy.compactMap(\.cause).first
    let first = failing.compactMap(\.step).min()
    onset = first
    lastHealthyCheckpoint =
      first == verdict.onset
      ? verdict.lastHealthyCheckpoint
      : failing.compactMap(\.firstSickStep).min().flatMap { sick in checkpoints.last { $0 < sick } }
    lastCheckpoint = verdict.lastCheckpoint
    self.coverage = coverage
  }
}

extension GatePolicy {
  /// What the policy makes of a finding.
  fileprivate func entry(for finding: Finding) -> GateResult.Entry {
    let rule = rules[finding.code] ?? Rule()
    var weighed = finding
    weighed.severity = rule.severity ?? finding.severity
    func entry(_ standing: GateResult.Entry.Standing, _ reason: String?) -> GateResult.Entry {
      GateResult.Entry(finding: weighed, givenSeverity: finding.severity, standing: standing, reason: reason)
    }
    if rule.isSilenced { return entry(.silenced, rule.reason) }
    if let least = rule.leastEffect, let effect = finding.effectSize, !(effect >= least) {
      let smallness = "its effect size is \(effect.brief), and it counts from \(least.brief) on"
      return entry(.silenced, [rule.reason, smallness].compactMap(\.self).joined(separator: "; "))
    }
    return entry(rule.isFatal || weighed.severity >= failsOn ? .fails : .noted, rule.reason)
  }
}
