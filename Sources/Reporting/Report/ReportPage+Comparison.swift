import Diagnosis
import RunStore
import Weights

extension ReportPage {
  /// What several runs are beside one another: what remains at equal size, in words and as a table; nothing for a single run.
  var comparison: HTML {
    guard report.runs.count > 1 else { return HTML(markup: "") }
    let content =
      report.comparison.map(content)
      ?? HTML("<p class=\"quiet\">Not compared: \(report.whyNotCompared ?? "").</p>")
    return """
      <section id="comparison" aria-labelledby="comparison-title">
      <h2 id="comparison-title">Side by side</h2>
      <p class="intro">At equal steps a method that takes larger steps differs in everything. What remains at equal size of the update is not a matter of step size.</p>
      <div data-view="comparison"></div>
      \(content)
      </section>

      """
  }

  private func content(_ comparison: Comparison) -> HTML {
    let sentences = comparison.conclusion.map {
      HTML("<li\(HTML(markup: $0.hasPrefix("  ") ? " class=\"inner\"" : ""))>\($0)</li>")
    }
    let notes = comparison.notes.map { HTML("<li>\($0)</li>") }
    return """
      <ul class="conclusion">\(sentences)</ul>
      \(table("At equal steps", "step", comparison.steps.points, comparison) { String(Int($0.position)) })
      \(table("At equal size of the update", comparison.baseNorm == nil ? "‖ΔW‖_F" : "‖ΔW‖/‖W₀‖", comparison.norms.points, comparison) { ($0.position / (comparison.baseNorm ?? 1)).brief })
      <details><summary>What rows, ratios and signs are</summary><ul>\(comparison.legend.map { HTML("<li>\($0)</li>") })</ul></details>
      \(notes.isEmpty ? HTML(markup: "") : HTML("<h3>Left out</h3><ul>\(notes)</ul>"))
      """
  }

  /// A row for each quantity at a few of the places.
  private func table(
    _ title: String, _ axis: String, _ points: [AlignedPoint], _ comparison: Comparison,
    label: (AlignedPoint) -> String
  ) -> HTML {
    guard !points.isEmpty else { return HTML(markup: "") }
    let runs = comparison.runs.indices
    let head = runs.map { run in
      run == 0
        ? HTML("<th scope=\"col\">\(comparison.runs[0].name)</th>")
        : HTML("<th scope=\"col\">\(comparison.runs[run].name)</th><th scope=\"col\">ratio</th>")
    }
    let places = Self.spread(points.count, comparison.count)
    let rows = comparison.shownQuantities.flatMap { quantity in
      places.map { place in
        let cells = runs.map { run in cell(quantity, run, place, points, comparison) }
        let name = place == places[0] ? quantity.title ?? "" : ""
        return HTML(
          "<tr\(HTML(markup: name.isEmpty ? "" : " class=\"first\""))><th scope=\"row\">\(name)</th><td>\(label(points[place]))</td>\(cells)</tr>\n"
        )
      }
    }
    return """
      <details class="numbers"><summary>\(title)</summary><div class="scroll" tabindex="0" role="region" aria-label="\(title)"><table>
      <thead><tr><th scope="col">quantity</th><th scope="col">\(axis)</th>\(head)</tr></thead>
      <tbody>\(rows)</tbody></table></div></details>

      """
  }

  private func cell(
    _ quantity: ComparedQuantity, _ run: Int, _ place: Int, _ points: [AlignedPoint], _ comparison: Comparison
  ) -> HTML {
    let value = points[place].values[run]?[quantity]?.brief ?? "–"
    guard run > 0 else { return HTML("<td>\(value)</td>") }
    let ratio = comparison.ratio(quantity, run: run, at: points[place])?.brief ?? "–"
    let mark = comparison.mark(quantity, run: run, at: place, in: points)?.sign ?? ""
    return HTML("<td>\(value)</td><td class=\"ratio\">\(ratio)<span class=\"sign\">\(mark)</span></td>")
  }

  /// `count` places spread over `total`, the first and the last among them.
  private static func spread(_ total: Int, _ count: Int) -> [Int] { Comparison.spread(total, count) }

  /// Methods against learning rates; nothing where there are no two settings.
  var map: HTML {
    guard let map = report.map else { return HTML(markup: "") }
    let head = map.learningRates.map { HTML("<th scope=\"col\">\(String($0))</th>") }
    let rows = map.rows.map { row in
      let cells = map.learningRates.map { rate in
        HTML("<td>\(row.runs.filter { $0.learningRate == rate }.map(Self.ending).joined(separator: ", "))</td>")
      }
      return HTML("<tr><th scope=\"row\">\(row.method)</th>\(cells)<td>\(Self.text(row.critical))</td></tr>\n")
    }
    return """
      <section id="map" aria-labelledby="map-title">
      <h2 id="map-title">Methods and learning rates</h2>
      <p class="intro">Every run as its curve of held-out accuracy (or of the reward), a row a method and a column a learning rate. Rates behind the thick line lie beyond the method's critical rate: the final accuracy is below that of the start.</p>
      <div data-view="map"></div>
      <details class="numbers"><summary>The same as a table</summary><div class="scroll" tabindex="0" role="region" aria-label="How each run ended"><table>
      <thead><tr><th scope="col">method</th>\(head)<th scope="col">critical rate</th></tr></thead>
      <tbody>\(rows)</tbody></table></div></details>
      </section>

      """
  }

  private static func ending(_ run: MappedRun) -> String {
    let value = run.finalAccuracy ?? run.curve.last?.value
    return [value?.brief, run.label?.rawValue].compactMap { $0 }.joined(separator: " ")
  }

  private static func text(_ spread: CriticalRate.Spread?) -> String {
    guard let spread else { return "–" }
    func text(_ rate: CriticalRate) -> String {
      rate.relation == "at" ? rate.rate.brief : "\(rate.relation) \(rate.rate.brief)"
    }
    let median = spread.median.map(text) ?? "–"
    return spread.lowest == spread.highest ? median : "\(median) (\(text(spread.lowest)) to \(text(spread.highest)))"
  }
}
