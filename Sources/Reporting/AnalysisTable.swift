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

  /// `singular_values.csv`: one row per value, index from 0; first those of W₀, whose step is empty, then those of every update, with
  /// those of W₀ + ΔW as delta `updated`.
  package static func singularValues(_ analysis: Analysis) -> AnalysisTable {
    func rows(_ step: JSONValue, _ module: String, _ delta: String, _ values: [Double]) -> [[JSONValue]] {
      values.enumerated().map { [step, .string(module), .string(delta), .integer($0), .number($1)] }
    }
    let modules = analysis.baseValues.keys.sorted(by: NaturalOrder.precedes)
    let base = modules.flatMap { rows(.null, $0, "base", analysis.baseValues[$0]!) }
    let updates = analysis.rows.flatMap { row in
      rows(.integer(row.step), row.module, row.delta.rawValue, row.singularValues)
        + rows(.integer(row.step), row.module, "updated", row.updatedValues)
    }
    return AnalysisTable(
      name: "singular_values", columns: ["step", "module", "delta", "index", "value"], rows: base + updates)
  }

  /// `profiles.csv`: one row per bin of W₀'s components.
  package static func profiles(_ analysis: Analysis) -> AnalysisTable {
    AnalysisTable(
      name: "profiles", columns: ["step", "module", "delta", "side", "bin", "first", "last", "share", "null"],
      rows: analysis.rows.flatMap { row in
        row.profile.map { bin in
          [
            .integer(row.step), .string(row.module), .string(row.delta.rawValue), .string(bin.side.rawValue),
            .integer(bin.bin), bin.components.map { .integer($0.lowerBound) } ?? .null,
            bin.components.map { .integer($0.upperBound) } ?? .null, number(bin.share), .number(bin.null),
          ]
        }
      })
  }

  /// `findings.csv`.
  package static func findings(_ findings: [Finding]) -> AnalysisTable {
    AnalysisTable(
      name: "findings",
      columns: [
        "step", "code", "name", "severity", "module", "value", "threshold", "baseline", "p_value", "message",
        "effect_size", "cause", "remedy",
      ],
      rows: findings.map { finding in
        [
          finding.step.map(JSONValue.integer) ?? .null, .string(finding.code), .string(finding.name),
          .string(finding.severity.rawValue), finding.module.map(JSONValue.string) ?? .null, number(finding.value),
          number(finding.threshold), number(finding.baseline), number(finding.pValue), .string(finding.message),
          number(finding.effectSize), finding.cause.map { .string($0.rawValue) } ?? .null,
          finding.remedy.map(JSONValue.string) ?? .null,
        ]
      })
  }

  /// The tables that an analysis at this depth has, and that of training where its records are known.
  package static func all(of analysis: Analysis, training: TrainingRecords?) -> [AnalysisTable] {
    let profiles = profiles(analysis)
    return [modules(analysis), singularValues(analysis)] + (profiles.rows.isEmpty ? [] : [profiles])
      + (training.map { [Self.training($0)] } ?? []) + [findings(analysis.findings)]
  }

  private static func number(_ value: Double?, isCount: Bool = false) -> JSONValue {
    guard let value, value.isFinite else { return .null }
    return isCount ? Int(exactly: value).map(JSONValue.integer) ?? .number(value) : .number(value)
  }
}
