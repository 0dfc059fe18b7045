import Adapters
import Diagnosis
import Foundation
import Measurement
import RunStore
import Spectra
import TestSupport
import Testing
import Weights

/// Every method × delta × column against an independent implementation, on adapters that Hugging Face PEFT has written.
@Suite struct ReferenceTests {
  @Test(arguments: ReferenceCase.all) func everyColumnAgrees(_ reference: ReferenceCase) throws {
    let analysis = try analysis(of: reference)
    let expected = try CSVTable(path: reference.modulesTable)
    let found = Dictionary(uniqueKeysWithValues: analysis.rows.map { (key($0), $0) })
    #expect(found.count == expected.rows.count)
    for row in expected.rows {
      let name = "\(row["step"]!) \(row["module"]!) \(row["delta"]!)"
      guard let measured = found[name] else {
        Issue.record("no row \(name)")
        continue
      }
      #expect(measured.method == row["method"]!)
      for metric in Metric.allCases where expected.columns.contains(metric.rawValue) {
        compare(metric, measured, Double(row[metric.rawValue]!), "\(name) \(metric.rawValue)", reference)
      }
    }
  }

  @Test(arguments: ReferenceCase.all) func everySingularValueAgrees(_ reference: ReferenceCase) throws {
    let analysis = try analysis(of: reference)
    let found = Dictionary(uniqueKeysWithValues: analysis.rows.map { (key($0), $0.singularValues) })
    let expected = Dictionary(grouping: try CSVTable(path: reference.singularValuesTable).rows) {
      "\($0["step"]!) \($0["module"]!) \($0["delta"]!)"
    }
    #expect(Set(found.keys) == Set(expected.keys))
    for (name, rows) in expected {
      let values = found[name] ?? []
      #expect(values.count == rows.count, "\(name)")
      for (row, value) in zip(rows, values) {
        let truth = Double(row["value"]!)!
        let tolerance = relativeTolerance(reference) * truth + absoluteTolerance(reference, largest: values[0])
        #expect(abs(value - truth) <= tolerance, "\(name) \(row["index"]!): \(value), expected \(truth)")
      }
    }
  }

  private func analysis(of reference: ReferenceCase) throws -> Analysis {
    let folder = try TemporaryFolder()
    let options = MeasurementOptions(
      source: reference.source, base: reference.base, initial: reference.initial,
      method: reference.method.flatMap(AdapterMethod.init(rawValue:)), jobs: 2, output: folder.path("analysis.h5"))
    let outcome = try MeasurementPlan(options).run(options)
    #expect(outcome.damaged == 0)
    return outcome.analysis
  }

  private func key(_ row: SpectrumRow) -> String { "\(row.step) \(row.module) \(row.delta.rawValue)" }

  /// The values are promised to 1e-11 of themselves. A start that is computed again from the base rests on a dense Float64
  /// SVD on both sides: u·σ₁·√q·σ_r/gap, which is below 1e-12·‖W₀‖ here, of updates no smaller than 1e-5·‖W₀‖.
  private func relativeTolerance(_ reference: ReferenceCase) -> Double {
    isRecomputed(reference) ? 1e-7 : 1e-11
  }

  /// What a value may miss where it is a remnant of rounding: 2⁻⁵²·max(rows, columns) of the largest.
  private func absoluteTolerance(_ reference: ReferenceCase, largest: Double) -> Double {
    largest * (isRecomputed(reference) ? 1e-9 : 160 * 0x1p-52)
  }

  private func isRecomputed(_ reference: ReferenceCase) -> Bool {
    reference.initial == nil && ["pissa-f32", "pissa-bf16"].contains(reference.name)
  }

  private func compare(
    _ metric: Metric, _ row: SpectrumRow, _ truth: Double?, _ name: String, _ reference: ReferenceCase
  ) {
    let value = row.metrics[metric]
    guard let truth, let value else {
      #expect(value == truth, "\(name)")
      return
    }
    if metric.isCount {
      #expect(value == truth, "\(name)")
    } else {
      #expect(
        abs(value - truth) <= 10 * relativeTolerance(reference) * abs(truth), "\(name): \(value), expected \(truth)")
    }
  }
}
