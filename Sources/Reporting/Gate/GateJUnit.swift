import Diagnosis

/// The report as JUnit XML: one test case a rule of the catalogue, and one for every question that was left open.
///
/// A rule fails where a finding of it makes the gate fail, and is skipped where its findings are silenced or it had nothing to judge by. JUnit
/// has no word for inconclusive: that is the exit code, the property `outcome`, and the skipped cases.
enum GateJUnit {
  static func text(of report: GateReport) -> String {
    let cases =
      Catalogue.kinds.map { rule($0.page, report) } + strangers(report) + report.result.questions.map(question)
    let failures = cases.count { $0.outcome == .failure }
    let skipped = cases.count { $0.outcome == .skipped }
    let counts = "tests=\"\(cases.count)\" failures=\"\(failures)\" errors=\"0\" skipped=\"\(skipped)\""
    let body = cases.map { $0.xml }.joined(separator: "\n")
    return """
      <?xml version="1.0" encoding="UTF-8"?>
      <testsuites name="spectroscope gate" \(counts)>
        <testsuite name=\(quoted(report.file)) \(counts)>
          <properties>
      \(properties(report))
          </properties>
      \(body)
        </testsuite>
      </testsuites>
      """
  }

  fileprivate struct Case {
    enum Outcome { case passed, failure, skipped }

    var family: String
    var name: String
    var outcome = Outcome.passed
    /// What the failure or the skipping says; the first is its title.
    var lines: [String] = []
    /// What a case that does not fail has to say.
    var notes: [String] = []
  }

  private static func properties(_ report: GateReport) -> String {
    let result = report.result
    let known: [(String, String?)] = [
      ("outcome", result.outcome.rawValue), ("exit_code", String(result.exitCode)), ("summary", report.summary),
      ("onset", result.onset.map(String.init)),
      ("last_healthy_checkpoint", result.lastHealthyCheckpoint.map(String.init)), ("policy", report.policy),
    ]
    return known.compactMap { name, value in
      value.map { "      <property name=\(quoted(name)) value=\(quoted($0))/>" }
    }.joined(separator: "\n")
  }

  // MARK: Cases

  private static func rule(_ page: FindingPage, _ report: GateReport) -> Case {
    let entries = report.result.entries.filter { $0.finding.code == page.code }
    return testCase(
      "\(page.code) \(page.name)", Catalogue.family(of: page.code), entries,
      unjudged: report.result.coverage.reasons[page.code])
  }

  /// Findings of kinds that the catalogue does not have, from files of another version.
  private static func strangers(_ report: GateReport) -> [Case] {
    let known = Set(Catalogue.kinds.map({ $0.page.code }))
    let others = Dictionary(grouping: report.result.entries.filter { !known.contains($0.finding.code) }) {
      "\($0.finding.code) \($0.finding.name)"
    }
    return others.sorted { $0.key < $1.key }.map { testCase($0.key, "of another version", $0.value, unjudged: nil) }
  }

  private static func testCase(
    _ name: String, _ family: String, _ entries: [GateResult.Entry], unjudged: String?
  ) -> Case {
    var new = Case(family: family, name: name)
    let failing = entries.filter(\.fails)
    if !failing.isEmpty {
      (new.outcome, new.lines) = (.failure, failing.flatMap(lines))
    } else if !entries.isEmpty, entries.allSatisfy(\.isSilenced) {
      (new.outcome, new.lines) = (.skipped, entries.map { "\($0.treatment ?? $0.label): \($0.sentence)" })
    } else if entries.isEmpty, let unjudged {
      (new.outcome, new.lines) = (.skipped, ["not judged: \(unjudged)"])
    }
    if new.outcome != .skipped { new.notes = entries.filter { !$0.fails }.map { "\($0.label): \($0.sentence)" } }
    return new
  }

  private static func lines(_ entry: GateResult.Entry) -> [String] {
    [entry.sentence] + [entry.treatment, entry.finding.remedy].compactMap(\.self)
  }

  private static func question(_ question: GateResult.OpenQuestion) -> Case {
    Case(
      family: "questions", name: question.gap.text, outcome: .skipped,
      lines: [
        "not judged for want of \(question.gap.kind.rawValue)"
          + (question.isAccepted ? ", which the policy accepts" : "")
      ])
  }
}

// MARK: - XML

extension GateJUnit.Case {
  fileprivate var xml: String {
    let start =
      "    <testcase classname=\(GateJUnit.quoted("spectroscope.\(family)")) name=\(GateJUnit.quoted(name)) time=\"0\""
    var children: [String] = []
    let text = lines.map(GateJUnit.escaped).joined(separator: "\n")
    switch outcome {
    case .passed: break
    case .failure:
      children.append("      <failure type=\"alert\" message=\(GateJUnit.quoted(lines[0]))>\(text)</failure>")
    case .skipped: children.append("      <skipped message=\(GateJUnit.quoted(lines.joined(separator: "; ")))/>")
    }
    if !notes.isEmpty {
      children.append("      <system-out>\(notes.map(GateJUnit.escaped).joined(separator: "\n"))</system-out>")
    }
    return children.isEmpty ? start + "/>" : start + ">\n" + children.joined(separator: "\n") + "\n    </testcase>"
  }
}

extension GateJUnit {
  /// Character data; nothing of `]]>` is left either.
  fileprivate static func escaped(_ text: String) -> String {
    text.onOneLine.replacingScalars { scalar in
      switch scalar {
      case "&": "&amp;"
      case "<": "&lt;"
      case ">": "&gt;"
      case "\"": "&quot;"
      default: nil
      }
    }
  }

  /// An attribute's value with its quotes.
  fileprivate static func quoted(_ text: String) -> String { "\"" + escaped(text) + "\"" }
}
