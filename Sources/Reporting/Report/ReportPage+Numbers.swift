import Diagnosis
import RunStore
import Spectra
import Weights

extension ReportPage {
  /// What the charts draw as a table for each run, at its checkpoints: medians over modules, behaviour since the checkpoint before.
  var numbers: HTML {
    HTML("\(report.runs.map(numbers))")
  }

  private func numbers(of run: ReportRun) -> HTML {
    let columns = columns(of: run)
    let head = columns.map { HTML("<th scope=\"col\">\($0.title)</th>") }
    let rows = run.evidence.checkpoints.map { step in
      HTML(
        "<tr\(HTML(markup: step == run.verdict.onset ? " class=\"onset\"" : ""))><th scope=\"row\">\(step)</th>\(columns.map { HTML("<td>\($0.value(step)?.brief ?? "–")</td>") })</tr>\n"
      )
    }
    return """
      <details class="numbers"><summary>The numbers at each checkpoint\(report.runs.count > 1 ? ": " + run.name : "")</summary>
      <div class="scroll" tabindex="0" role="region" aria-label="Numbers of \(run.name) at each checkpoint"><table>
      <thead><tr><th scope="col">step</th>\(head)</tr></thead>
      <tbody>\(rows)</tbody></table></div>
      <p class="quiet">Reward is the mean since the checkpoint before; size and velocity are medians over the modules. Exact numbers: <code>spectroscope export</code>.</p>
      </details>

      """
  }

  private struct Column {
    let title: String
    let value: (Int) -> Double?
  }

  private func columns(of run: ReportRun) -> [Column] {
    let evidence = run.evidence
    var columns: [Column] = []
    func before(_ step: Int) -> Int { evidence.checkpoint(before: step) ?? -1 }
    if !evidence.timeline["reward"].isEmpty {
      columns.append(Column(title: "reward") { run.compared.mean("reward", after: before($0), through: $0) })
    }
    for (name, title) in [("accuracy", "held-out"), ("entropy", "entropy"), ("kl", "KL")]
    where !evidence.timeline[name].isEmpty {
      columns.append(Column(title: title) { evidence.timeline[name].value(at: $0) })
    }
    let medians: [(Metric, Delta, String)] = [
      (.relativeNorm, evidence.sizeDelta, "‖ΔW‖/‖W₀‖"), (.updateVelocity, .previous, "velocity"),
      (.effectiveRank, evidence.shapeDelta, "effective rank"), (.stableRank, evidence.shapeDelta, "stable rank"),
      (.spectralShift, evidence.sizeDelta, "spectral shift"),
    ]
    for (metric, delta, title) in medians {
      let series = evidence.median(metric, delta)
      if !series.isEmpty { columns.append(Column(title: title) { series.value(at: $0) }) }
    }
    return columns
  }
}
