import Diagnosis
import Foundation
import RunStore

extension ReportPage {
  /// For each run the verdict, and below it what is asked first: since when, where, what to go back to.
  var verdicts: HTML {
    HTML("<div class=\"cards\">\(report.runs.map(verdict))</div>")
  }

  private func verdict(_ run: ReportRun) -> HTML {
    let outcome = run.verdict.outcome
    let name = report.runs.count > 1 ? HTML("<h3>\(run.name)</h3>") : HTML(markup: "")
    return """
      <article class="card verdict" data-outcome="\(outcome.rawValue)">
      \(name)<p class="setup">\(run.setupText)</p>
      <p class="outcome">\(Self.mark(outcome))<strong>\(Self.word(outcome))</strong>\(Self.tail(run))</p>
      \(lead(run))\(RewardSketch(run, among: report.runs)?.html ?? HTML(markup: ""))<dl class="facts">\(facts(run))</dl>
      </article>

      """
  }

  private static func word(_ outcome: Verdict.Outcome) -> String {
    switch outcome {
    case .healthy: "Healthy"
    case .alert: "Alert"
    case .inconclusive: "Inconclusive"
    }
  }

  /// What the headline says behind the verdict itself.
  private static func tail(_ run: ReportRun) -> HTML {
    var parts: [String] = []
    if run.verdict.outcome == .alert {
      if let onset = run.verdict.onset { parts.append("since step \(onset)") }
      if let cause = run.verdict.cause { parts.append(cause.words) }
    } else if !run.verdict.warnings.isEmpty {
      parts.append(count(run.verdict.warnings.count, "warning"))
    }
    return parts.isEmpty ? HTML(markup: "") : HTML("<span class=\"tail\">\(parts.joined(separator: " · "))</span>")
  }

  private func lead(_ run: ReportRun) -> HTML {
    OnsetLead(run).text.map { HTML("<p class=\"lead\">\($0)</p>\n") } ?? HTML(markup: "")
  }

  private func facts(_ run: ReportRun) -> [HTML] {
    let verdict = run.verdict
    var facts: [(String, String, String)] = [("Collapsing?", answer(run), "")]
    if let onset = verdict.onset { facts.append(("Since", "step \(onset)", "")) }
    if let first = verdict.spread.departures.first {
      let count = verdict.spread.departures.count
      facts.append(
        ("Where first", first.module, "\(count) of \(verdict.spread.modules) modules left their band"))
    } else if verdict.outcome == .alert {
      facts.append(("Where first", verdict.alerts.lazy.compactMap(\.module).first ?? "no single module", ""))
    }
    if verdict.outcome == .alert, verdict.onset != nil, verdict.cause != .loadMismatch {
      facts.append(
        ("Last healthy checkpoint", verdict.lastHealthyCheckpoint.map { "step \($0)" } ?? "none: start anew", ""))
    }
    let confidence = run.diagnosis.confidence.split(separator: "–", maxSplits: 1).map {
      $0.trimmingCharacters(in: .whitespaces)
    }
    facts.append(("Confidence", confidence[0], confidence.dropFirst().first ?? ""))
    return facts.map { title, value, note in
      let isName = title == "Where first"
      let small = note.isEmpty ? HTML(markup: "") : HTML("<small>\(note)</small>")
      return HTML(
        "<div><dt>\(title)</dt><dd\(HTML(markup: isName ? " class=\"name\"" : ""))>\(isName ? HTML.name(value) : HTML("\(value)"))\(small)</dd></div>"
      )
    }
  }

  /// Whether it is collapsing, in a word or two.
  private func answer(_ run: ReportRun) -> String {
    let codes = Set(run.verdict.findings.filter { $0.severity == .alert }.map(\.code))
    switch run.verdict.outcome {
    case .healthy: return "no"
    case .inconclusive: return "not known"
    case .alert where run.verdict.cause == .loadMismatch: return "no: what was loaded is not what was trained"
    case .alert where codes.contains("SP403"): return "yes: the weights warned, and the reward fell"
    case .alert where !codes.isDisjoint(with: ["SP401", "SP402"]): return "yes: the reward has fallen"
    case .alert where codes.contains(where: { $0.hasPrefix("SP2") || $0.hasPrefix("SP4") }):
      return "on its way: nothing has fallen yet"
    case .alert: return "it does not train as it should"
    }
  }

  /// A sign beside the word, so that colour is never the only difference.
  static func mark(_ outcome: Verdict.Outcome) -> HTML {
    switch outcome {
    case .healthy: icon("healthy", "<path d=\"M3 8.5 6.5 12 13 4.5\"/>")
    case .alert: icon("alert", "<path d=\"M8 2 15 14H1Z\"/><path d=\"M8 6.5v3.5M8 12v.2\"/>")
    case .inconclusive:
      icon(
        "inconclusive",
        "<circle cx=\"8\" cy=\"8\" r=\"6.5\"/><path d=\"M6 6.4a2 2 0 1 1 2.6 2c-.5.2-.6.5-.6 1M8 11.6v.2\"/>")
    }
  }

  static func mark(_ severity: Severity) -> HTML {
    switch severity {
    case .alert: icon("alert", "<path d=\"M8 2 15 14H1Z\"/><path d=\"M8 6.5v3.5M8 12v.2\"/>")
    case .warning: icon("warning", "<path d=\"M8 1.5 14.5 8 8 14.5 1.5 8Z\"/><path d=\"M8 5v3.5M8 10.8v.2\"/>")
    case .info: icon("info", "<circle cx=\"8\" cy=\"8\" r=\"6.5\"/><path d=\"M8 7.2v4M8 4.8v.2\"/>")
    }
  }

  private static func icon(_ kind: String, _ path: String) -> HTML {
    HTML(
      "<svg class=\"icon \(kind)\" viewBox=\"0 0 16 16\" aria-hidden=\"true\">\(HTML(markup: path))</svg>")
  }

  static func count(_ number: Int, _ noun: String) -> String { "\(number) \(noun)\(number == 1 ? "" : "s")" }
  func count(_ number: Int, _ noun: String) -> String { Self.count(number, noun) }
}
