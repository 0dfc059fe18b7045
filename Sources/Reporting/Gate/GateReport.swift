import Diagnosis
import RunStore

/// Everything that the formats of the gate say.
package struct GateReport: Sendable {
  package var result: GateResult
  /// What was judged, as it was named.
  package var file: String
  /// Where the numbers come from.
  package var origin: AnalysisOrigin
  package var method: String
  /// The policy's file; nil where there is none.
  package var policy: String?
  /// The program's version.
  package var version: String

  package init(
    _ result: GateResult, file: String, origin: AnalysisOrigin = AnalysisOrigin(), method: String = "",
    policy: String? = nil, version: String
  ) {
    self.result = result
    self.file = file
    self.origin = origin
    self.method = method
    self.policy = policy
    self.version = version
  }
}

/// The formats that the gate speaks. A format is one conforming type in a file of its own, and one case.
package enum GateFormat: String, CaseIterable, Sendable {
  case text, json, sarif, junit, github, markdown

  /// The report in this format, without a line end behind it.
  package func text(of report: GateReport) -> String {
    switch self {
    case .text: GateText.text(of: report)
    case .json: GateJSON.text(of: report)
    case .sarif: GateSARIF.text(of: report)
    case .junit: GateJUnit.text(of: report)
    case .github: GateGitHub.text(of: report)
    case .markdown: GateMarkdown.text(of: report)
    }
  }
}

// MARK: - Words that formats share

extension GateReport {
  /// What the outcome rests on, in a few words; without the outcome itself.
  var summary: String {
    switch result.outcome {
    case .alert: alertSummary
    case .inconclusive:
      "nothing fails, and " + Self.count(result.questions.count { !$0.isAccepted }, "question")
        + " could not be answered"
    case .healthy: healthySummary
    }
  }

  private var alertSummary: String {
    let failing = result.entries.count(where: \.fails)
    var parts = [Self.count(failing, "finding") + (failing == 1 ? " fails" : " fail")]
    if let onset = result.onset {
      parts[0] += failing == 1 ? ", from step \(onset) on" : ", the first from step \(onset) on"
    }
    if let last = result.lastHealthyCheckpoint { parts.append("the last checkpoint before it is \(last)") }
    if let cause = result.cause { parts.append("the cause is \(cause.words)") }
    return parts.joined(separator: "; ")
  }

  private var healthySummary: String {
    let noted = result.entries.filter { $0.standing == .noted && $0.finding.severity > .info }.count
    let silenced = result.entries.filter(\.isSilenced).count
    let parts = [
      noted == 0 ? nil : Self.count(noted, "warning"),
      silenced == 0 ? nil : Self.count(silenced, "finding") + " silenced",
    ].compactMap(\.self)
    return parts.isEmpty ? "nothing was found that fails" : "nothing fails; " + parts.joined(separator: ", ")
  }

  static func count(_ count: Int, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }

  /// Rules that had no evidence and that no question speaks of, by family and reason: "10 rules of behaviour (SP4): …".
  var uncovered: [String] {
    let asked = Set(result.questions.map(\.gap.text))
    let kinds = Catalogue.kinds.map { $0.page }.filter { page in
      result.coverage.reasons[page.code].map { !asked.contains($0) } ?? false
        && !result.entries.contains { $0.finding.code == page.code }
    }
    let groups = Dictionary(grouping: kinds) { String($0.code.prefix(3)) + " " + result.coverage.reasons[$0.code]! }
    return groups.sorted { $0.key < $1.key }.map { key, pages in
      "\(Self.count(pages.count, "rule")) of \(Catalogue.family(of: pages[0].code)) (\(key.prefix(3))): \(key.dropFirst(4))"
    }
  }
}

extension GateResult.Entry {
  /// What stands before the code: the severity, and what the policy makes of it.
  var label: String {
    switch standing {
    case .silenced: "silenced"
    case .fails where finding.severity < .alert: "\(finding.severity.rawValue), fails"
    case .fails, .noted: finding.severity.rawValue
    }
  }

  /// What the policy does, with the reason; nil where it changes nothing.
  var treatment: String? {
    if isSilenced { return "silenced: \(reason ?? "by the policy")" }
    let isChanged = finding.severity != givenSeverity
    guard isChanged || reason != nil else { return nil }
    return [isChanged ? "\(givenSeverity.rawValue) without the policy" : nil, reason].compactMap(\.self)
      .joined(separator: ": ")
  }

  /// The message with step and module.
  var sentence: String {
    let step = finding.step.map { "step \($0): " } ?? ""
    return step + finding.message + (finding.module.map { " (module \($0))" } ?? "")
  }
}
