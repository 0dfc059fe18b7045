import Diagnosis
import Weights

/// The verdict in words that a tired engineer understands.
package struct DiagnosisText: Sendable {
  private let verdict: Verdict
  private let run: RunEvidence
  /// What was analysed: "14/14 modules".
  private let coverage: String
  private let width: Int

  /// - Parameter width: of the lines, in characters.
  package init(_ verdict: Verdict, of run: RunEvidence, coverage: String, width: Int = 100) {
    self.verdict = verdict
    self.run = run
    self.coverage = coverage
    self.width = width
  }

  /// Paragraphs with a heading each; those that have nothing to say are left out.
  package var text: String {
    ([headline, summary, reward, findings, spread, next, notJudged, basis] as [String?]).compactMap { $0 }.joined(
      separator: "\n\n")
  }

  /// The verdict in a line.
  package var headline: String {
    switch verdict.outcome {
    case .alert:
      let since = verdict.onset.map { ", since step \($0)" } ?? ""
      let cause = verdict.cause.map { " – \($0.words)" } ?? ""
      return "ALERT\(since)\(cause)"
    case .inconclusive:
      return verdict.warnings.isEmpty
        ? "INCONCLUSIVE – nothing alarms, and not everything could be judged"
        : "INCONCLUSIVE – \(count(verdict.warnings.count, "warning")), and not everything could be judged"
    case .healthy:
      return verdict.warnings.isEmpty ? "HEALTHY" : "HEALTHY – with \(count(verdict.warnings.count, "warning"))"
    }
  }

  /// What happened, in a sentence or two.
  private var summary: String? {
    guard let first = verdict.alerts.first(where: { $0.step == verdict.onset }) ?? verdict.alerts.first else {
      return nil
    }
    var sentences = ["\(first.message.capitalizedFirst) (\(first.code))."]
    if let reward = verdict.findings.first(where: { $0.code == "SP401" || $0.code == "SP402" }),
      reward.code != first.code
    {
      let lead = (reward.step ?? 0) - (first.step ?? 0)
      if lead > 0, !first.code.hasPrefix("SP4"), verdict.cause != .loadMismatch {
        sentences.append("The reward followed at step \(reward.step ?? 0), \(count(lead, "step")) later.")
      }
    }
    return wrapped(sentences.joined(separator: " "))
  }

  /// The reward over the run as a curve, with its numbers; nil where there is none to speak of.
  private var reward: String? {
    let points = run.timeline["reward"].points
    guard points.count >= 8, let first = points.first, let last = points.last,
      let best = points.max(by: { $0.value < $1.value }), let least = points.map(\.value).min()
    else { return nil }
    let each = (points.count + Self.curveWidth - 1) / Self.curveWidth
    let range = least >= 0 && best.value <= 1 ? 0...1 : least...best.value
    return
      "reward  \(Sparkline.text(of: points.map(\.value), each: each, in: range))  \(first.value.brief) at step \(first.step), at most "
      + "\(best.value.brief) at step \(best.step), \(last.value.brief) at step \(last.step)"
  }

  private static let curveWidth = 32

  /// One paragraph a finding, in the order of onset.
  private var findings: String? {
    guard !verdict.findings.isEmpty else { return nil }
    let lines = grouped.map { finding, more in
      let step = finding.step.map { "step \($0)" } ?? "run"
      let head = "\(finding.severity.rawValue.padded(to: 7)) \(finding.code)  \(step.padded(to: 9)) "
      let p = finding.pValue.map { $0 == 0 ? "" : ", p = \($0.brief)" } ?? ""
      let module = finding.module.map { !finding.message.contains($0) ? " [\($0)]" : "" } ?? ""
      let others = more > 0 ? " (and \(more) more of this kind)" : ""
      return wrapped(finding.message + p + module + others, head: head)
    }
    return heading("Findings, by onset") + lines.joined(separator: "\n")
  }

  /// The first finding of each kind, and how many more there are.
  private var grouped: [(Finding, Int)] {
    var seen: Set<String> = []
    return verdict.findings.filter { seen.insert($0.code).inserted }.map { first in
      (first, verdict.findings.count { $0.code == first.code } - 1)
    }
  }

  /// The first module to leave its band, and how it spread.
  private var spread: String? {
    guard let first = verdict.spread.departures.first else { return nil }
    let steps = verdict.spread.departures.map(\.step)
    let checkpoints = Array(Set(steps)).sorted()
    let counts = checkpoints.prefix(6).map { step in
      "step \(step): \(steps.count { $0 <= step }) of \(verdict.spread.modules)"
    }
    return heading("Where")
      + wrapped(
        "\(first.module) left its band first, at step \(first.step) with \(first.ratio.brief) times what the band allows. Modules beyond theirs by "
          + counts.joined(separator: ", ") + ".")
  }

  /// What to do next, with the reason.
  private var next: String? {
    var lines: [String] = []
    switch (verdict.outcome, verdict.lastHealthyCheckpoint) {
    // A mismatch is mended, not trained again.
    case _ where verdict.cause == .loadMismatch: break
    case (.alert, let checkpoint?) where verdict.onset != nil:
      lines.append("The last healthy checkpoint is that of step \(checkpoint).")
    case (.alert, nil) where verdict.onset != nil:
      lines.append("No checkpoint before the onset is known: start anew.")
    default: break
    }
    var seen: Set<String> = []
    let reasons = (verdict.alerts.isEmpty ? verdict.warnings : verdict.alerts).filter { finding in
      finding.remedy.map { seen.insert($0).inserted } ?? false
    }
    lines += reasons.prefix(3).map { "\($0.code): \($0.remedy!)" }
    guard !lines.isEmpty else { return nil }
    return heading("What to do") + lines.map { wrapped($0) }.joined(separator: "\n")
  }

  private var notJudged: String? {
    guard !verdict.gaps.isEmpty else { return nil }
    return heading("Not judged") + verdict.gaps.map { wrapped($0.text, head: "– ") }.joined(separator: "\n")
  }

  /// What the verdict stands on.
  private var basis: String {
    var parts = [coverage]
    parts.append(
      count(run.checkpoints.count, "checkpoint") + (run.checkpoints.isEmpty ? "" : " (steps \(range(run.checkpoints)))")
    )
    parts.append(
      run.timeline.isEmpty ? "no log of the trainer" : "a log of \(count(run.timeline.records.count, "record"))")
    if !run.method.isEmpty { parts.append(method) }
    return heading("Looked at")
      + wrapped(parts.joined(separator: ", ") + ". Confidence: \(confidence).")
  }

  private var method: String {
    let rank = run.setup.rank.map { " r = \($0)" } ?? ""
    let alpha = run.setup.alpha.map { ", α = \($0.plain)" } ?? ""
    let rate = run.setup.learningRate.map { ", learning rate \($0.brief)" } ?? ""
    return run.method + rank + alpha + rate
  }

  /// In words, from what there was to judge by.
  package var confidence: String {
    switch verdict.outcome {
    case .alert:
      let families = Set(verdict.alerts.map { $0.code.prefix(3) })
      if families.contains("SP4"), families.contains("SP2") { return "high – weights and behaviour agree" }
      return verdict.alerts.contains { $0.pValue == nil && !$0.code.hasPrefix("SP4") }
        ? "high – from the files themselves, not from statistics"
        : "moderate – one kind of evidence; bounds are provisional"
    case .healthy: return "moderate – inside the calibrated range; bounds are provisional"
    case .inconclusive: return "low – see what was not judged"
    }
  }

  // MARK: - Words

  private func heading(_ title: String) -> String { title + "\n" }

  private func count(_ number: Int, _ noun: String) -> String { "\(number) \(noun)\(number == 1 ? "" : "s")" }

  private func range(_ steps: [Int]) -> String { steps.count == 1 ? "\(steps[0])" : "\(steps[0]) to \(steps.last!)" }

  /// Lines of at most `width` characters, but for longer words, behind `head` and blanks of its length. Names come from files, and must
  /// neither break a line nor command a terminal.
  private func wrapped(_ text: String, head: String = "") -> String {
    head + text.onOneLine.wrapped(to: width, indent: String(repeating: " ", count: head.count)).dropFirst(head.count)
  }
}

extension String {
  fileprivate var capitalizedFirst: String { isWord ? prefix(1).uppercased() + dropFirst() : self }

  /// True where it begins with a word of a sentence, and no name or path.
  private var isWord: Bool { prefix { $0 != " " }.allSatisfy(\.isLetter) }

  fileprivate func padded(to width: Int) -> String {
    self + String(repeating: " ", count: max(0, width - count))
  }
}

extension Double {
  /// As it was typed: 8 rather than 8.00.
  fileprivate var plain: String { self == rounded() && abs(self) < 1e6 ? String(Int(self)) : "\(self)" }
}

extension DiagnosisText {
  /// The verdict as one JSON object.
  package var json: JSONValue {
    [
      "verdict": .string(verdict.outcome.rawValue), "cause": verdict.cause.map { .string($0.rawValue) } ?? .null,
      "onset": verdict.onset.map(JSONValue.integer) ?? .null,
      "last_healthy_checkpoint": verdict.lastHealthyCheckpoint.map(JSONValue.integer) ?? .null,
      "last_checkpoint": verdict.lastCheckpoint.map(JSONValue.integer) ?? .null, "coverage": .string(coverage),
      "confidence": .string(confidence), "method": .string(run.method),
      "findings": AnalysisTable.findings(verdict.findings).json,
      "not_judged": .array(verdict.gaps.map { ["kind": .string($0.kind.rawValue), "text": .string($0.text)] }),
      "spread": .array(
        verdict.spread.departures.map {
          ["module": .string($0.module), "step": .integer($0.step), "ratio": .number($0.ratio)]
        }),
      "modules": .integer(verdict.spread.modules),
    ]
  }
}
