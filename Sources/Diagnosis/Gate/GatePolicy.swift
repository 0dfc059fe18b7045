/// What a project lets pass and what it does not. Without a file alerts fail, and nothing that is missing is accepted.
package struct GatePolicy: Equatable, Sendable {
  /// What the policy says of one kind of finding.
  package struct Rule: Equatable, Sendable {
    /// How much it matters here, instead of what the rule says.
    package var severity: Severity?
    /// Findings of it are shown and do not count.
    package var isSilenced = false
    /// Any finding of it fails, whatever its severity.
    package var isFatal = false
    /// It counts only where its effect size is at least this. A finding without an effect size, a fact, always counts.
    package var leastEffect: Double?
    /// Why; always there where the rule is silenced or its severity lowered.
    package var reason: String?

    package init(
      severity: Severity? = nil, isSilenced: Bool = false, isFatal: Bool = false, leastEffect: Double? = nil,
      reason: String? = nil
    ) {
      self.severity = severity
      self.isSilenced = isSilenced
      self.isFatal = isFatal
      self.leastEffect = leastEffect
      self.reason = reason
    }
  }

  /// What may be missing without making the outcome inconclusive.
  package var accepted: Set<Gap.Kind>
  /// The least severity that fails: `alert` or `warning`.
  package var failsOn: Severity
  /// By code.
  package var rules: [String: Rule]
  /// What a training run does about a failure of its own.
  package var training: TrainingGate.Options

  package init(
    accepted: Set<Gap.Kind> = [], failsOn: Severity = .alert, rules: [String: Rule] = [:],
    training: TrainingGate.Options = TrainingGate.Options()
  ) {
    self.accepted = accepted
    self.failsOn = failsOn
    self.rules = rules
    self.training = training
  }
}
