import Diagnosis
import RunStore
import Spectra
import Weights

extension ReportPage {
  /// What could not be judged, and what was left out of the analysis, with the reason.
  var gaps: HTML {
    HTML("\(report.runs.map(gaps))\(notAnalysed)")
  }

  /// Runs of a grid that only the map shows.
  private var notAnalysed: HTML {
    guard !report.notAnalysed.isEmpty else { return HTML(markup: "") }
    let items = report.notAnalysed.map {
      HTML("<li><code>\(String.command(["spectroscope", "analyze", $0]))</code></li>")
    }
    return HTML(
      "<h3>Runs without an analysis</h3>\n<p>These are on the map alone, as nobody has analysed them:</p><ul class=\"gaps\">\(items)</ul>\n"
    )
  }

  private func gaps(of run: ReportRun) -> HTML {
    let title = report.runs.count > 1 ? HTML("<h3>\(run.name)</h3>\n") : HTML(markup: "")
    let items =
      run.verdict.gaps.map { HTML("<li><b>\($0.kind.rawValue)</b> \(sentence($0.text))</li>") }
      + leftOut(run).map { HTML("<li><b>analysis</b> \(sentence($0))</li>") }
    guard !items.isEmpty else { return HTML("\(title)<p class=\"quiet\">Everything was judged and analysed.</p>\n") }
    return HTML("\(title)<ul class=\"gaps\">\(items)</ul>\n")
  }

  private func sentence(_ text: String) -> String { text.hasSuffix(".") ? text : text + "." }

  /// What the analysis does not have, and why.
  private func leftOut(_ run: ReportRun) -> [String] {
    let metrics = run.analysis.rows.reduce(into: Set<Metric>()) { found, row in
      for metric in [Metric.leftEnergyTop, .spectralShift] where row.metrics[metric] != nil { found.insert(metric) }
    }
    var texts: [String] = []
    let depth = run.analysis.origin.depth
    if run.analysis.rows.isEmpty {
      texts.append("everything about modules: no update could be measured")
    } else if !metrics.contains(.leftEnergyTop) {
      texts.append("energy, alignment and rotation against W₀: analysed at depth \(depth.isEmpty ? "update" : depth)")
    } else if !metrics.contains(.spectralShift) {
      texts.append(
        "spectral shift, intruders and profiles: analysed at depth \(depth); `spectroscope analyze … --depth full` adds them"
      )
    }
    if run.evidence.timeline.isEmpty {
      texts.append("behaviour: no log of the trainer is joined; `spectroscope analyze … --log FILE` joins one")
    }
    let skipped = run.verdict.findings.filter { ["SP106", "SP109", "SP110"].contains($0.code) }
    return texts + skipped.map { "\($0.code): \($0.message)" }
  }

  // MARK: Sources

  /// Versions, base and files, and the commands that make the same page again.
  var sources: HTML {
    let made = HTML(
      "<h3>This page</h3><dl class=\"sources\">\(row("Made by", "spectroscope \(report.version), detectors \(DetectorVersion.current)"))</dl>"
    )
    return """
      \(report.runs.map(source))
      \(made)
      <h3>The same page again</h3>
      <pre tabindex="0"><code>\(commands.joined(separator: "\n").escapedLines)</code></pre>

      """
  }

  private func row(_ title: String, _ value: String) -> HTML { HTML("<div><dt>\(title)</dt><dd>\(value)</dd></div>") }

  private func source(_ run: ReportRun) -> HTML {
    let origin = run.analysis.origin
    let checkpoints = run.evidence.checkpoints
    let steps =
      checkpoints.isEmpty ? "none" : "\(checkpoints.count), steps \(checkpoints.first!) to \(checkpoints.last!)"
    let rows: [(String, String)] = [
      ("File", run.path), ("Run", origin.source), ("Base", origin.base), ("Setup", run.setupText),
      ("Modules", origin.coverage), ("Checkpoints", steps), ("Depth", origin.depth), ("Analysed by", origin.createdBy),
      ("Size is of", Self.words(run.evidence.sizeDelta)),
      ("Shape is of", run.evidence.shapeDelta == run.evidence.sizeDelta ? "" : Self.words(run.evidence.shapeDelta)),
    ]
    let title = report.runs.count > 1 ? HTML("<h3>\(run.name)</h3>\n") : HTML(markup: "")
    return HTML("\(title)<dl class=\"sources\">\(rows.filter { !$0.1.isEmpty }.map { row($0.0, $0.1) })</dl>\n")
  }

  private static func words(_ delta: Delta) -> String {
    switch delta {
    case .initial: "ΔW since initialisation"
    case .initialMagnitude: "ΔW since initialisation, by the magnitudes alone"
    case .initialDirection: "ΔW since initialisation, without what the magnitudes did"
    case .pretrained: "ΔW since the pretrained weights, as the start is not known"
    case .previous: "δW since the checkpoint before"
    }
  }

  private var commands: [String] {
    let analyses = report.runs.compactMap { run -> String? in
      let origin = run.analysis.origin
      guard !origin.source.isEmpty else { return nil }
      let base = origin.base.isEmpty || origin.base == "embedded" ? [] : ["--base", origin.base]
      let depth = origin.depth.isEmpty ? [] : ["--depth", origin.depth]
      let out = report.analysisFiles.contains(run.path) ? ["--out", run.path] : []
      return String.command(["spectroscope", "analyze", origin.source] + base + depth + out)
    }
    return analyses + [String.command(["spectroscope"] + report.command)]
  }
}

extension String {
  /// Lines of text for a preformatted block: escaped, with their line feeds.
  fileprivate var escapedLines: HTML {
    HTML(
      markup: split(separator: "\n", omittingEmptySubsequences: false).map { String($0).escapedForHTML }.joined(
        separator: "\n"))
  }
}
