import Diagnosis
import RunStore
import Spectra
import Weights

/// One table of an analysis, as every exporter of tables writes it: columns of one length.
package struct AnalysisTable: Equatable, Sendable {
  package let name: String
  package let columns: [TableColumn]

  package init(name: String, columns: [TableColumn]) {
    precondition(columns.allSatisfy { $0.count == columns[0].count }, "the columns of \(name) differ in length")
    self.name = name
    self.columns = columns
  }

  /// The number of rows.
  package var count: Int { columns.first?.count ?? 0 }

  /// The tables that an analysis at this depth has, and that of training where its records are known.
  package static func all(of analysis: Analysis, training: TrainingRecords?) -> [AnalysisTable] {
    let profiles = profiles(analysis)
    return [modules(analysis), singularValues(analysis)] + (profiles.count == 0 ? [] : [profiles])
      + (training.map { [Self.training($0)] } ?? []) + [findings(analysis.findings)]
  }
}

extension AnalysisTable {
  /// `modules`: one row per step × module × delta, in this order.
  package static func modules(_ analysis: Analysis) -> AnalysisTable {
    let rows = analysis.rows
    return AnalysisTable(
      name: "modules",
      columns: [
        .integers("step", rows.map(\.step)), .texts("module", rows.map(\.module)),
        .texts("method", rows.map(\.method)), .texts("delta", rows.map(\.delta.rawValue)),
      ]
        + Metric.allCases.map { metric in
          let values = rows.map { $0.metrics[metric] }
          return metric.isCount ? .counts(metric.rawValue, values) : .numbers(metric.rawValue, values)
        })
  }

  /// `singular_values`: one row per value, index from 0; first those of W₀, whose step is missing, then those of every update, with
  /// those of W₀ + ΔW as delta `updated`.
  package static func singularValues(_ analysis: Analysis) -> AnalysisTable {
    let modules = analysis.baseValues.keys.sorted(by: NaturalOrder.precedes)
    let spectra =
      modules.map { Spectrum(step: nil, module: $0, delta: "base", values: analysis.baseValues[$0]!) }
      + analysis.rows.flatMap { row in
        [
          Spectrum(step: row.step, module: row.module, delta: row.delta.rawValue, values: row.singularValues),
          Spectrum(step: row.step, module: row.module, delta: "updated", values: row.updatedValues),
        ]
      }
    func repeated<Value>(_ value: (Spectrum) -> Value) -> [Value] {
      spectra.flatMap { repeatElement(value($0), count: $0.values.count) }
    }
    return AnalysisTable(
      name: "singular_values",
      columns: [
        .integers("step", repeated(\.step)), .texts("module", repeated(\.module)), .texts("delta", repeated(\.delta)),
        .integers("index", spectra.flatMap(\.values.indices)), .numbers("value", spectra.flatMap(\.values)),
      ])
  }

  private struct Spectrum {
    var step: Int?
    var module: String
    var delta: String
    var values: [Double]
  }

  /// `profiles`: one row per bin of W₀'s components.
  package static func profiles(_ analysis: Analysis) -> AnalysisTable {
    let bins = analysis.rows.flatMap { row in row.profile.map { (row: row, bin: $0) } }
    return AnalysisTable(
      name: "profiles",
      columns: [
        .integers("step", bins.map(\.row.step)), .texts("module", bins.map(\.row.module)),
        .texts("delta", bins.map(\.row.delta.rawValue)), .texts("side", bins.map(\.bin.side.rawValue)),
        .integers("bin", bins.map(\.bin.bin)), .integers("first", bins.map { $0.bin.components?.lowerBound }),
        .integers("last", bins.map { $0.bin.components?.upperBound }), .numbers("share", bins.map(\.bin.share)),
        .numbers("null", bins.map(\.bin.null)),
      ])
  }

  /// `findings`, in their order.
  package static func findings(_ findings: [Finding]) -> AnalysisTable {
    AnalysisTable(
      name: "findings",
      columns: [
        .integers("step", findings.map(\.step)), .texts("code", findings.map(\.code)),
        .texts("name", findings.map(\.name)), .texts("severity", findings.map(\.severity.rawValue)),
        .texts("module", findings.map(\.module)), .numbers("value", findings.map(\.value)),
        .numbers("threshold", findings.map(\.threshold)), .numbers("baseline", findings.map(\.baseline)),
        .numbers("p_value", findings.map(\.pValue)), .texts("message", findings.map(\.message)),
        .numbers("effect_size", findings.map(\.effectSize)), .texts("cause", findings.map(\.cause?.rawValue)),
        .texts("remedy", findings.map(\.remedy)),
      ])
  }
}
