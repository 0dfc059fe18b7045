import Diagnosis
import RunStore
import Spectra
import Weights

/// One table of an analysis, as every exporter writes it: named columns, and rows of values with null for "missing".
package struct AnalysisTable: Sendable {
  package var name: String
  package var columns: [String]
  package var rows: [[JSONValue]]

  /// `modules.csv`: one row per step × module × delta, in this order.
  package static func modules(_ analysis: Analysis) -> AnalysisTable {
    AnalysisTable(
      name: "modules",
      columns: ["step", "module", "method", "delta"] + Metric.allCases.map(\.rawValue),
      rows: analysis.rows.map { row in
        [.integer(row.step), .string(row.module), .string(row.method), .string(row.delta.rawValue)]
          + Metric.allCases.map { metric in number(row.metrics[metric], isCount: metric.isCount) }
      })
  }

  /// `singular_values.csv`: one row per value, index from 0.
  package static func singularValues(_ analysis: Analysis) -> AnalysisTable {
    AnalysisTable(
      name: "singular_values", columns: ["step", "module", "delta", "index", "value"],
      rows: analysis.rows.flatMap { row in
        row.singularValues.enumerated().map { index, value in
          [.integer(row.step), .string(row.module), .string(row.delta.rawValue), .integer(index), .number(value)]
        }
      })
  }

  /// `findings.csv`.
  package static func findings(_ analysis: Analysis) -> AnalysisTable {
    AnalysisTable(
      name: "findings",
      columns: [
        "step", "code", "name", "severity", "module", "value", "threshold", "baseline", "p_value", "message",
      ],
      rows: analysis.findings.map { finding in
        [
          finding.step.map(JSONValue.integer) ?? .null, .string(finding.code), .string(finding.name),
          .string(finding.severity.rawValue), finding.module.map(JSONValue.string) ?? .null, number(finding.value),
          number(finding.threshold), number(finding.baseline), number(finding.pValue), .string(finding.message),
        ]
      })
  }

  /// The tables that an analysis at this depth has, and that of training where its records are known.
  package static func all(of analysis: Analysis, training: TrainingRecords?) -> [AnalysisTable] {
    [modules(analysis), singularValues(analysis)] + (training.map { [Self.training($0)] } ?? []) + [findings(analysis)]
  }

  private static func number(_ value: Double?, isCount: Bool = false) -> JSONValue {
    guard let value, value.isFinite else { return .null }
    return isCount ? Int(exactly: value).map(JSONValue.integer) ?? .number(value) : .number(value)
  }
}
