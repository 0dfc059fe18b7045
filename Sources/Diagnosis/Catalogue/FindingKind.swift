/// A kind of finding: everything that `explain`, the report and the documentation say of it, and the rule that makes it.
///
/// One conforming type a file, and one line of `Catalogue.kinds`.
package protocol FindingKind: Sendable {
  static var page: FindingPage { get }

  /// Columns of the log of which the rule needs one; none for a rule that looks elsewhere.
  static var columns: [String] { get }

  /// What to do, given what the run already does.
  static func remedy(for setup: RunSetup) -> String

  /// What the rule says of a run; nothing for a kind that is noticed while files are read.
  static func judge(_ run: RunEvidence) -> Judgement
}

extension FindingKind {
  package static var columns: [String] { [] }

  package static func judge(_ run: RunEvidence) -> Judgement { Judgement() }

  /// A finding of this kind.
  ///
  /// - Parameter severity: less than the kind's own where the evidence is weaker.
  static func finding(
    in run: RunEvidence, step: Int? = nil, earliest: Int? = nil, severity: Severity? = nil, module: String? = nil,
    value: Double? = nil,
    threshold: Double? = nil, baseline: Double? = nil, pValue: Double? = nil, effectSize: Double? = nil,
    cause: Cause? = nil, _ message: String
  ) -> Finding {
    var finding = Finding(
      step: step, code: page.code, name: page.name, severity: severity ?? page.severity, module: module, value: value,
      threshold: threshold, baseline: baseline, pValue: pValue, effectSize: effectSize, cause: cause ?? page.cause,
      message: message, remedy: remedy(for: run.setup))
    finding.earliest = earliest
    return finding
  }
}

/// What a rule says of a run.
package struct Judgement: Sendable {
  package var findings: [Finding] = []
  /// What the rule would have needed to judge, in words that end the sentence "Not judged: …".
  package var gaps: [Gap] = []

  package init(_ findings: [Finding] = [], gaps: [Gap] = []) {
    self.findings = findings
    self.gaps = gaps
  }
}

/// Something that could not be judged.
package struct Gap: Hashable, Sendable {
  package enum Kind: String, Hashable, Sendable {
    /// There are too few checkpoints, steps or columns.
    case data
    /// Bounds exist, and not for such a run.
    case calibration
  }

  package var kind: Kind
  /// What is missing, and what would supply it.
  package var text: String

  package init(_ kind: Kind, _ text: String) {
    (self.kind, self.text) = (kind, text)
  }
}

/// The text of a kind of finding.
package struct FindingPage: Sendable {
  /// A number that the rule compares with.
  package struct Threshold: Sendable {
    /// What is compared, with its unit.
    package var quantity: String
    package var value: String
    /// How often a healthy run crosses it.
    package var falseAlarms: String
    /// How often a sick run does not.
    package var misses: String
  }

  package var code: String
  package var name: String
  /// The most that it can be.
  package var severity: Severity
  package var cause: Cause?
  /// What it means.
  package var meaning: String
  /// Why it is bad.
  package var harm: String
  /// What it shows as evidence.
  package var evidence: String
  package var thresholds: [Threshold]
  /// Where the rule comes from.
  package var source: String

  package init(
    _ code: String, _ name: String, _ severity: Severity, cause: Cause? = nil, meaning: String, harm: String,
    evidence: String, thresholds: [Threshold] = [], source: String
  ) {
    self.code = code
    self.name = name
    self.severity = severity
    self.cause = cause
    self.meaning = meaning
    self.harm = harm
    self.evidence = evidence
    self.thresholds = thresholds
    self.source = source
  }
}

extension FindingPage.Threshold {
  /// A threshold of a fact that holds or does not: there is nothing to be wrong about.
  static func exact(_ quantity: String, _ value: String) -> Self {
    Self(quantity: quantity, value: value, falseAlarms: "none: a fact, not an estimate", misses: "none")
  }

  /// A threshold that follows from arithmetic or a bound, with what its errors are.
  static func derived(_ quantity: String, _ value: String, falseAlarms: String, misses: String) -> Self {
    Self(quantity: quantity, value: value, falseAlarms: falseAlarms, misses: misses)
  }

  /// A threshold from the calibration half of the corpus.
  static func calibrated(_ quantity: String, _ value: String, falseAlarms: String, misses: String) -> Self {
    Self(quantity: quantity, value: value, falseAlarms: falseAlarms, misses: misses)
  }

  /// A threshold from laboratory runs, which a larger corpus will replace.
  static func provisional(_ quantity: String, _ value: String, falseAlarms: String, misses: String) -> Self {
    Self(quantity: quantity, value: value + " (provisional)", falseAlarms: falseAlarms, misses: misses)
  }
}
