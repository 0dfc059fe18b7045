/// How much a finding matters.
package enum Severity: String, Sendable, Codable, CaseIterable {
  case info, warning, alert
}

/// One statement about a run, with the evidence that carries it. The fields are the columns of `findings.csv`.
package struct Finding: Equatable, Sendable {
  /// The step it holds at; nil when it concerns the run as a whole.
  package var step: Int?
  /// Stable, such as `SP105`.
  package var code: String
  /// Stable, in kebab case, such as `alpha-is-zero`.
  package var name: String
  package var severity: Severity
  /// The module it concerns; nil when it concerns all of them.
  package var module: String?
  package var value: Double?
  package var threshold: Double?
  package var baseline: Double?
  package var pValue: Double?
  package var message: String

  package init(
    step: Int? = nil, code: String, name: String, severity: Severity, module: String? = nil, value: Double? = nil,
    threshold: Double? = nil, baseline: Double? = nil, pValue: Double? = nil, message: String
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
    self.message = message
  }
}
