import Diagnosis

/// The report for a terminal or a log: the verdict first, one line a finding, then what was not judged.
enum GateText {
  static func text(of report: GateReport) -> String {
    let result = report.result
    var lines = ["\(result.outcome.rawValue): \(report.summary)"]
    let order = { (entry: Int) in (rank(result.entries[entry].standing), entry) }
    lines += result.entries.indices.sorted { order($0) < order($1) }.map { line(of: result.entries[$0]) }
    lines += result.questions.map { "not judged\($0.isAccepted ? ", accepted" : ""): \($0.gap.text)" }
    lines += report.uncovered.map { "no evidence: \($0)" }
    return lines.map(\.onOneLine).joined(separator: "\n")
  }

  /// What fails comes first, and what is silenced last.
  private static func rank(_ standing: GateResult.Entry.Standing) -> Int {
    switch standing {
    case .fails: 0
    case .noted: 1
    case .silenced: 2
    }
  }

  private static func line(of entry: GateResult.Entry) -> String {
    let treatment = entry.treatment.map { " [\($0)]" } ?? ""
    return "\(entry.label) \(entry.finding.code) \(entry.finding.name): \(entry.sentence)\(treatment)"
  }
}
