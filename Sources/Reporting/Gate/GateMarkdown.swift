import Diagnosis

/// The report in GitHub's Markdown, for a job summary or a comment.
enum GateMarkdown {
  static func text(of report: GateReport) -> String {
    let result = report.result
    var blocks = [
      "## Spectroscope: \(result.outcome.rawValue)", "\(escaped(report.file)): \(escaped(report.summary)).",
    ]
    let (silenced, counted) = (result.entries.filter(\.isSilenced), result.entries.filter { !$0.isSilenced })
    if !counted.isEmpty { blocks.append(table(counted)) }
    let remedies = remedies(result.entries.filter(\.fails))
    if !remedies.isEmpty { blocks.append("What to do:\n\n" + remedies.joined(separator: "\n")) }
    if !silenced.isEmpty { blocks.append("Silenced by the policy:\n\n" + table(silenced)) }
    let open =
      result.questions.map { ($0.isAccepted ? "accepted: " : "") + $0.gap.text }
      + report.uncovered.map { "no evidence: " + $0 }
    if !open.isEmpty { blocks.append("Not judged:\n\n" + open.map { "- " + escaped($0) }.joined(separator: "\n")) }
    return blocks.joined(separator: "\n\n")
  }

  private static func table(_ entries: [GateResult.Entry]) -> String {
    let rows = entries.map { entry in
      let finding = entry.finding
      let message = finding.message + (entry.treatment.map { " (\($0))" } ?? "")
      let cells = [
        entry.label, "\(finding.code) \(finding.name)", finding.step.map(String.init) ?? "", finding.module ?? "",
        message,
      ]
      return "| " + cells.map(escaped).joined(separator: " | ") + " |"
    }
    return (["| severity | finding | step | module | what it says |", "|---|---|---|---|---|"] + rows)
      .joined(separator: "\n")
  }

  /// What to do, once for each kind.
  private static func remedies(_ entries: [GateResult.Entry]) -> [String] {
    var seen: Set<String> = []
    return entries.compactMap { entry in
      guard let remedy = entry.finding.remedy, seen.insert(entry.finding.code).inserted else { return nil }
      return "- \(escaped(entry.finding.code)): \(escaped(remedy))"
    }
  }

  /// Text that means nothing to Markdown, to HTML, or to GitHub, which makes mentions of `@name` and links of URLs.
  private static func escaped(_ text: String) -> String {
    text.onOneLine.replacing("://", with: ":\u{2060}//").replacingScalars { scalar in
      switch scalar {
      case "&": "&amp;"
      case "<": "&lt;"
      case ">": "&gt;"
      case "@": "&#64;"
      case "\u{2060}": "&#8288;"
      case "\\", "`", "*", "_", "[", "]", "#", "|", "~", "$": "\\" + String(scalar)
      default: nil
      }
    }
  }
}
