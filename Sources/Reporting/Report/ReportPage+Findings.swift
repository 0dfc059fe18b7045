import Diagnosis
import RunStore
import Weights

extension ReportPage {
  /// The findings of each run, the gravest first and then by onset, each with the picture that shows it, what to do, and what the catalogue says of its kind.
  var findings: HTML {
    HTML("\(report.runs.indices.map(findings))")
  }

  private func findings(ofRun index: Int) -> HTML {
    let run = report.runs[index]
    let title = report.runs.count > 1 ? HTML("<h3>\(run.name)</h3>\n") : HTML(markup: "")
    guard !run.verdict.findings.isEmpty else {
      return HTML("\(title)<p class=\"quiet\">No rule of the catalogue found anything.</p>\n")
    }
    let groups = grouped(run)
    let items = groups.indices.map { place in
      // What was said of a finding before is not said again.
      let same = groups[..<place].first { $0[0].remedy == groups[place][0].remedy }
      return item(groups[place], run: index, remedyOf: same?[0].code)
    }
    return HTML("\(title)<ol class=\"findings\">\(items)</ol>\n")
  }

  /// Findings of one kind together: the gravest kinds first, then by the onset of their first.
  private func grouped(_ run: ReportRun) -> [[Finding]] {
    var order: [String] = []
    for finding in run.verdict.findings where !order.contains(finding.code) { order.append(finding.code) }
    let groups = order.map { code in run.verdict.findings.filter { $0.code == code } }
    return Severity.allCases.reversed().flatMap { severity in groups.filter { $0[0].severity == severity } }
  }

  private func item(_ findings: [Finding], run index: Int, remedyOf other: String?) -> HTML {
    let finding = findings[0]
    return """
      <li class="finding" data-severity="\(finding.severity.rawValue)">
      <div class="head">\(Self.mark(finding.severity))<span class="severity">\(finding.severity.rawValue)</span> \
      <span class="code">\(finding.code)</span> <span class="kind">\(finding.name)</span>\
      <span class="step">\(finding.step.map { "step \($0)" } ?? "the whole run")</span></div>
      <p class="message">\(sentence(finding.message))</p>
      \(evidence(finding))<p class="links">\(link(to: finding, run: index))</p>
      \(remedy(finding, sameAs: other))\(explanation(finding))\(others(findings.dropFirst(), run: index))</li>

      """
  }

  private func sentence(_ text: String) -> String {
    let isWord = text.prefix { $0 != " " }.allSatisfy(\.isLetter)
    return (isWord ? text.prefix(1).uppercased() + text.dropFirst() : text) + (text.hasSuffix(".") ? "" : ".")
  }

  private func link(to finding: Finding, run: Int) -> HTML {
    let picture = FindingPicture(of: finding, in: report.runs[run])
    return HTML(
      "<a href=\"#\(picture.anchor)\" data-select=\"\(picture.json(run: run).text())\">\(picture.title)</a>")
  }

  /// The numbers that the finding rests on.
  private func evidence(_ finding: Finding) -> HTML {
    let numbers: [(String, Double?)] = [
      ("value", finding.value), ("threshold", finding.threshold), ("baseline", finding.baseline),
      ("effect", finding.effectSize), ("p", finding.pValue),
    ]
    let known = numbers.compactMap { name, value in value.map { (name, $0.brief) } }
    let module = finding.module.map { HTML("<div><dt>module</dt><dd class=\"name\">\(HTML.name($0))</dd></div>") }
    guard !known.isEmpty || module != nil else { return HTML(markup: "") }
    return HTML(
      "<dl class=\"evidence\">\(known.map { HTML("<div><dt>\($0.0)</dt><dd>\($0.1)</dd></div>") })\(module.map { [$0] } ?? [])</dl>\n"
    )
  }

  private func remedy(_ finding: Finding, sameAs other: String?) -> HTML {
    guard let remedy = finding.remedy else { return HTML(markup: "") }
    return HTML(
      "<p class=\"remedy\"><b>What to do</b> \(other.map { "As for \($0)." } ?? remedy)</p>\n")
  }

  /// What `explain` says of the kind.
  private func explanation(_ finding: Finding) -> HTML {
    guard let page = Catalogue.kind(finding.code)?.page else { return HTML(markup: "") }
    let parts = [
      ("What it means", page.meaning), ("Why it is bad", page.harm), ("Evidence", page.evidence),
      ("Source", page.source),
    ]
    let thresholds = page.thresholds.map { threshold in
      HTML(
        "<li>\(threshold.quantity): <b>\(threshold.value)</b>; false alarms: \(threshold.falseAlarms); misses: \(threshold.misses)</li>"
      )
    }
    let list = thresholds.isEmpty ? HTML(markup: "") : HTML("<h4>Thresholds</h4><ul>\(thresholds)</ul>")
    return HTML(
      "<details class=\"about\"><summary>What \(page.code) means</summary><div class=\"explain\">\(parts.map { HTML("<h4>\($0.0)</h4><p>\($0.1)</p>") })\(list)</div></details>\n"
    )
  }

  /// Further findings of the same kind, of other modules or steps.
  private func others(_ findings: ArraySlice<Finding>, run: Int) -> HTML {
    guard !findings.isEmpty else { return HTML(markup: "") }
    let items = findings.prefix(200).map { finding in
      HTML(
        "<li><span class=\"step\">\(finding.step.map { "step \($0)" } ?? "the whole run")</span> \(sentence(finding.message)) \(link(to: finding, run: run))</li>"
      )
    }
    return HTML(
      "<details><summary>\(findings.count) more of this kind</summary><ul class=\"more\">\(items)</ul></details>\n")
  }
}
