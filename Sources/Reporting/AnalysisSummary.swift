import Diagnosis
import RunStore
import Spectra
import Weights

/// The analysis in a few lines: one line a step for the update since initialisation, then the findings.
package struct AnalysisSummary: Sendable {
  private let analysis: Analysis

  package init(_ analysis: Analysis) { self.analysis = analysis }

  /// The delta that the table shows: what training did, or, where the start is unknown, the last stretch.
  private var shownDelta: Delta {
    [.initial, .pretrained, .previous].first { delta in analysis.rows.contains { $0.delta == delta } } ?? .initial
  }

  /// The table for the terminal: per step the medians over modules of size, shape and velocity.
  package var table: String {
    var table = TextTable(columns: [
      ("step", .right), ("modules", .right), ("‖ΔW‖/‖W₀‖", .right), ("velocity", .right), ("effective rank", .right),
      ("stable rank", .right), ("of rank", .right), ("floor", .right),
    ])
    let shown = Dictionary(grouping: analysis.rows.filter { $0.delta == shownDelta }, by: \.step)
    let previous = Dictionary(grouping: analysis.rows.filter { $0.delta == .previous }, by: \.step)
    for (step, rows) in shown.sorted(by: { $0.key < $1.key }) {
      func cell(_ metric: Metric, _ rows: [SpectrumRow]) -> String {
        Self.median(rows.compactMap { $0.metrics[metric] })?.brief ?? "–"
      }
      table.add([
        String(step), String(rows.count), cell(.relativeNorm, rows), cell(.updateVelocity, previous[step] ?? []),
        cell(.effectiveRank, rows), cell(.stableRank, rows), cell(.rank, rows), cell(.roundingFloor, rows),
      ])
    }
    return table.text + "\nMedians over the modules; ΔW since "
      + "\(caption); velocity is per step."
  }

  private var caption: String {
    switch shownDelta {
    case .initial: "initialisation"
    case .initialMagnitude: "the start, by the magnitudes alone"
    case .initialDirection: "the start, but for the magnitudes"
    case .pretrained: "the pretrained weights"
    case .previous: "the previous checkpoint"
    }
  }

  /// One line a finding, alerts first; empty without findings.
  package var findings: String {
    let order: [Severity] = [.alert, .warning, .info]
    return order.flatMap { severity in analysis.findings.filter { $0.severity == severity } }.map { finding in
      let step = finding.step.map { "step \($0): " } ?? ""
      return "\(finding.severity.rawValue) \(finding.code) \(finding.name): \(step)\(finding.message)"
    }.joined(separator: "\n")
  }

  /// The summary as JSON: origin, what was written, and the table above with full precision.
  package func json(output: String) -> JSONValue {
    let shown = Dictionary(grouping: analysis.rows.filter { $0.delta == shownDelta }, by: \.step)
    let steps = shown.sorted(by: { $0.key < $1.key }).map { step, rows -> JSONValue in
      func median(_ metric: Metric) -> JSONValue {
        Self.median(rows.compactMap { $0.metrics[metric] }).map(JSONValue.number) ?? .null
      }
      return [
        "step": .integer(step), "modules": .integer(rows.count), "relative_norm": median(.relativeNorm),
        "effective_rank": median(.effectiveRank), "stable_rank": median(.stableRank),
      ]
    }
    return [
      "out": .string(output), "source": .string(analysis.origin.source), "base": .string(analysis.origin.base),
      "depth": .string(analysis.origin.depth), "coverage": .string(analysis.origin.coverage),
      "delta": .string(shownDelta.rawValue), "steps": .array(steps),
      "findings": AnalysisTable.findings(analysis.findings).json,
    ]
  }

  /// The middle value, or the mean of the two middle ones; nil for none.
  static func median(_ values: [Double]) -> Double? {
    guard !values.isEmpty else { return nil }
    let sorted = values.sorted()
    let middle = sorted.count / 2
    return sorted.count.isMultiple(of: 2) ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[middle]
  }
}
