import Diagnosis

/// The report as workflow commands of GitHub Actions, which it shows as annotations of the job.
enum GateGitHub {
  static func text(of report: GateReport) -> String {
    let result = report.result
    let verdict = command(
      level(of: result.outcome), title: "Spectroscope: \(result.outcome.rawValue)",
      ["\(report.file): \(report.summary)"])
    let questions = result.questions.map {
      command($0.isAccepted ? "notice" : "warning", title: "not judged", [$0.gap.text])
    }
    return ([verdict] + result.entries.map(line) + questions).joined(separator: "\n")
  }

  private static func level(of outcome: Verdict.Outcome) -> String {
    switch outcome {
    case .healthy: "notice"
    case .alert: "error"
    case .inconclusive: "warning"
    }
  }

  private static func line(_ entry: GateResult.Entry) -> String {
    let finding = entry.finding
    let title = (entry.isSilenced ? "silenced: " : "") + "\(finding.code) \(finding.name)"
    return command(
      level(of: entry), title: title, [entry.sentence, entry.treatment, finding.remedy].compactMap(\.self))
  }

  private static func level(of entry: GateResult.Entry) -> String {
    if entry.fails { return "error" }
    if entry.isSilenced || entry.finding.severity == .info { return "notice" }
    return "warning"
  }

  /// One command on one line. The escapes are those that the runner takes back.
  private static func command(_ name: String, title: String, _ lines: [String]) -> String {
    "::\(name) title=\(property(title))::" + lines.map { data($0.onOneLine) }.joined(separator: "%0A")
  }

  private static func data(_ text: String) -> String {
    text.replacingScalars { scalar in
      switch scalar {
      case "%": "%25"
      case "\r": "%0D"
      case "\n": "%0A"
      default: nil
      }
    }
  }

  private static func property(_ text: String) -> String {
    data(text.onOneLine).replacingScalars { $0 == ":" ? "%3A" : $0 == "," ? "%2C" : nil }
  }
}
