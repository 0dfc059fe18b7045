import RunStore
import Spectra
import TestSupport
import Testing

/// Holds an analysis against reference tables, row by row, column by column, value by value.
struct ReferenceComparison {
  let analysis: Analysis
  /// True where the start of a PiSSA was computed again from the base.
  let isRecomputed: Bool

  /// The values are promised to 1e-11 of themselves. A start that is computed again rests on a dense Float64 SVD on both sides:
  /// u·√q·σ₁·σ_r/gap, below 1e-12·‖W₀‖ for the bases here, of updates no smaller than 1e-5·‖W₀‖.
  private var tolerance: Double { isRecomputed ? 1e-7 : 1e-11 }

  func checkModules(_ path: String) throws {
    let expected = try CSVTable(path: path)
    let found = Dictionary(uniqueKeysWithValues: analysis.rows.map { (Self.key($0), $0) })
    #expect(found.count == expected.rows.count)
    for row in expected.rows {
      let name = Self.key(row)
      guard let measured = found[name] else {
        Issue.record("no row \(name)")
        continue
      }
      #expect(measured.method == row["method"]!)
      for metric in Metric.allCases where expected.columns.contains(metric.rawValue) {
        compare(metric, measured, Double(row[metric.rawValue]!), "\(name) \(metric.rawValue)")
      }
    }
  }

  func checkSingularValues(_ path: String) throws {
    let found = Dictionary(uniqueKeysWithValues: analysis.rows.map { (Self.key($0), $0) })
    let expected = Dictionary(grouping: try CSVTable(path: path).rows, by: Self.key)
    #expect(Set(found.keys) == Set(expected.keys))
    for (name, rows) in expected {
      guard let row = found[name] else { continue }
      #expect(row.singularValues.count == rows.count, "\(name)")
      for (cells, value) in zip(rows, row.singularValues) {
        let truth = Double(cells["value"]!)!
        let bound = tolerance * truth + remnant(of: row)
        #expect(abs(value - truth) <= bound, "\(name) \(cells["index"]!): \(value), expected \(truth)")
      }
    }
  }

  /// How large a value may be that is a remnant of rounding alone: 2⁻⁵²·max(rows, columns) of the largest.
  private func remnant(of row: SpectrumRow) -> Double {
    let dimension = max(row.metrics[.rows]!, row.metrics[.columns]!)
    return (row.singularValues.first ?? 0) * (isRecomputed ? 1e-9 : dimension * 0x1p-52)
  }

  private func compare(_ metric: Metric, _ row: SpectrumRow, _ truth: Double?, _ name: String) {
    let value = row.metrics[metric]
    guard let truth, let value else {
      #expect(value == truth, "\(name)")
      return
    }
    // Metrics are smooth functions of the values; the factor covers powers and entropies of them.
    let bound = metric.isCount ? 0 : 10 * tolerance * abs(truth)
    #expect(abs(value - truth) <= bound, "\(name): \(value), expected \(truth)")
  }

  private static func key(_ row: SpectrumRow) -> String { "\(row.step) \(row.module) \(row.delta.rawValue)" }

  private static func key(_ cells: [String: String]) -> String {
    "\(cells["step"]!) \(cells["module"]!) \(cells["delta"]!)"
  }
}
