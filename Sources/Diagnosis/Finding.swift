/// How much a finding matters.
package enum Severity: String, Sendable, Codable, CaseIterable, Comparable {
  case info, warning, alert

  package static func < (a: Severity, b: Severity) -> Bool {
    allCases.firstIndex(of: a)! < allCases.firstIndex(of: b)!
  }
}

/// What brought something about, where the evidence separates causes.
package enum Cause: String, Sendable, Codable, CaseIterable {
  /// Steps in weight space are too large, whatever their direction: a smaller rate mends it.
  case stepSize = "step-size"
  /// Steps of a size that others bear go along directions of W₀ that bear less.
  case direction
  /// The update lives in fewer, or more, directions than it should.
  case rank
  /// Training is not to blame: what was loaded is not what was trained.
  case loadMismatch = "load-mismatch"

  /// In words, as a sentence has it.
  package var words: String {
    switch self {
    case .stepSize: "the size of the steps"
    case .direction: "the direction of the steps"
    case .rank: "the rank of the update"
    case .loadMismatch: "a mismatch between adapter and base, not training"
    }
  }
}

/// One statement about a run, with the evidence that carries it. The fields are the columns of `findings.csv`.
package struct Finding: Equatable, Sendable {
  /// The step it holds from; nil when it concerns the run as a whole.
  package var step: Int?
  /// The first record that a mean at `step` is of: what it tells of may have begun there. Not kept in files; a rule tells it again.
  package var earliest: Int?
  /// Stable, such as `SP105`.
  package var code: String
  /// Stable, in kebab case, such as `alpha-is-zero`.
  package var name: String
  package var severity: Severity
  /// The module it concerns, or that shows it most; nil when it concerns all of them.
  package var module: String?
  /// What was measured; its unit is that of the threshold, which the catalogue names.
  package var value: Double?
  package var threshold: Double?
  /// What it is held against: the run's own past, or a null.
  package var baseline: Double?
  /// The probability of such a value in a healthy run, corrected for looking at every checkpoint; nil for a fact, which needs none.
  package var pValue: Double?
  /// value ÷ what would be usual: of the baseline, or of the threshold where there is none.
  package var effectSize: Double?
  package var cause: Cause?
  package var message: String
  /// What to do, given what the run already does.
  package var remedy: String?

  package init(
    step: Int? = nil, code: String, name: String, severity: Severity, module: String? = nil, value: Double? = nil,
    threshold: Double? = nil, baseline: Double? = nil, pValue: Double? = nil, effectSize: Double? = nil,
    cause: Cause? = nil, message: String, remedy: String? = nil
  ) {
    self.step = step
    self.code = code
    self.name = name
    self.severity = severity
    self.module = module
    self.value = value
    self.threshold = threshold
    self.baseline = baseline
    self.pValue = pValue
    self.effectSize = effectSize
    self.cause = cause
    self.message = message
    self.remedy = remedy
  }

  /// The first step whose weights may be sick. What a record of step N tells is of the weights after N − 1 steps.
  var firstSickStep: Int? { earliest.map { $0 - 1 } ?? step }
}
