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

  func checkModules(_ reference: ReferenceCase) throws {
    try checkModules(reference.modulesTable, conditioning: reference.conditioningTable)
  }

  func checkModules(_ path: String, conditioning conditioningPath: String? = nil) throws {
    let expected = try CSVTable(path: path)
    let conditions = try conditioningPath.map { try CSVTable(path: $0).rows } ?? []
    let conditioning = Dictionary(uniqueKeysWithValues: conditions.map { (Self.key($0), Conditioning($0)) })
    // Tables without conditioning are those without geometry, whose columns are there and empty.
    let compared = expected.columns.filter { column in
      conditioningPath != nil || expected.rows.contains { $0[column] != "" }
    }
    let found = Dictionary(uniqueKeysWithValues: analysis.rows.map { (Self.key($0), $0) })
    #expect(found.count == expected.rows.count)
    for row in expected.rows {
      let name = Self.key(row)
      guard let measured = found[name] else {
        Issue.record("no row \(name)")
        continue
      }
      #expect(measured.method == row["method"]!)
      for metric in Metric.allCases where compared.contains(metric.rawValue) {
        compare(
          metric, measured, Double(row[metric.rawValue]!), conditioning[name] ?? Conditioning([:]),
          "\(name) \(metric.rawValue)")
      }
    }
  }

  func checkSingularValues(_ path: String) throws {
    let found = Dictionary(uniqueKeysWithValues: analysis.rows.map { (Self.key($0), $0) })
    let expected = Dictionary(grouping: try CSVTable(path: path).rows, by: Self.key)
    // An adapter cut to rank 0 has no values.
    #expect(Set(found.filter { !$0.value.singularValues.isEmpty }.keys) == Set(expected.keys))
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

  /// Shares of the ten bins and the null space.
  func checkProfiles(_ reference: ReferenceCase) throws {
    let found = Dictionary(uniqueKeysWithValues: analysis.rows.map { (Self.key($0), $0) })
    let conditioning = Dictionary(
      uniqueKeysWithValues: try CSVTable(path: reference.conditioningTable).rows.map {
        (Self.key($0), Conditioning($0))
      })
    for (name, bins) in Dictionary(grouping: try CSVTable(path: reference.profilesTable).rows, by: Self.key) {
      guard let row = found[name] else { continue }
      // Where the basis cannot tell a side's vectors from its null space, that side has no profile.
      let isTold = conditioning[name]!.shareBound("profile_condition") < 1
      if !isTold, row.profile.count < bins.count { continue }
      #expect(row.profile.count == bins.count, "\(name)")
      for cells in bins {
        let bin = row.profile.first { $0.side.rawValue == cells["side"]! && $0.bin == Int(cells["bin"]!)! }
        guard let bin else {
          Issue.record("no bin \(cells["side"]!) \(cells["bin"]!) of \(name)")
          continue
        }
        #expect(bin.components?.lowerBound == Int(cells["first"]!) && bin.components?.upperBound == Int(cells["last"]!))
        // The table has nine digits.
        let bound = conditioning[name]!.shareBound("profile_condition") + 10 * tolerance + 1e-9
        let share = Double(cells["share"]!)
        // Shares of bins whose borders nothing defines are missing.
        if !isTold, bin.share == nil { continue }
        #expect((bin.share == nil) == (share == nil), "\(name) \(bin)")
        #expect(abs((bin.share ?? 0) - (share ?? 0)) <= bound, "\(name) \(bin)")
        #expect(abs(bin.null - Double(cells["null"]!)!) <= bound, "\(name) \(bin)")
      }
    }
  }

  /// The singular values of W₀ + ΔW, to what a Gram matrix leaves of them.
  func checkUpdatedValues(_ reference: ReferenceCase) throws {
    let found = Dictionary(
      uniqueKeysWithValues: analysis.rows.filter { $0.delta == .pretrained }.map { ("\($0.step) \($0.module)", $0) })
    let expected = Dictionary(grouping: try CSVTable(path: reference.updatedTable).rows) {
      "\($0["step"]!) \($0["module"]!)"
    }
    for (name, rows) in expected {
      guard let row = found[name] else { continue }
      #expect(row.updatedValues.count == rows.count, "\(name)")
      let largest = row.updatedValues.first ?? 0
      for (cells, value) in zip(rows, row.updatedValues) {
        let truth = Double(cells["value"]!)!
        // The table has nine digits.
        let bound = 256 * 0x1p-53 * largest * largest / max(truth, 1e-4 * largest) + max(1e-8, 10 * tolerance) * truth
        #expect(abs(value - truth) <= bound, "\(name) \(cells["index"]!): \(value), expected \(truth)")
      }
    }
  }

  private func compare(
    _ metric: Metric, _ row: SpectrumRow, _ truth: Double?, _ conditioning: Conditioning, _ name: String
  ) {
    let value = row.metrics[metric]
    // Metrics of the spectrum are smooth functions of the values; the factor covers powers and entropies of them.
    let smooth = metric.isCount ? 0 : 10 * tolerance * abs(truth ?? 0)
    let bound = smooth + conditioning.bound(of: metric, row)
    guard let truth, let value else {
      // An angle that is smaller than what it can be told to is missing.
      let isTold = truth == nil || abs(truth!) > conditioning.leastTold(metric)
      #expect(value == truth || !isTold, "\(name): \(String(describing: value)), expected \(String(describing: truth))")
      return
    }
    #expect(abs(value - truth) <= bound, "\(name): \(value), expected \(truth)")
  }

  private static func key(_ row: SpectrumRow) -> String { "\(row.step) \(row.module) \(row.delta.rawValue)" }

  private static func key(_ cells: [String: String]) -> String {
    "\(cells["step"]!) \(cells["module"]!) \(cells["delta"]!)"
  }
}
