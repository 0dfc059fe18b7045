import Diagnosis
import Foundation
import OrderedCollections
import Reporting
import RunStore
import Spectra
import TestSupport
import Testing

/// TensorBoard's event files, by the reader of trainers' logs.
@Suite struct TensorBoardExportTests {
  private static let name = "events.out.tfevents.0000000000.spectroscope"

  private func curves(of analysis: Analysis, training: TrainingRecords? = nil) throws -> TrainingRecords {
    let folder = try TemporaryFolder()
    let paths = try ExportFormat.tensorboard.exporter.export(analysis, training: training, to: folder.path)
    #expect(paths == [folder.path(Self.name)])
    // What was exported is no log of a trainer, unless one says so.
    #expect(throws: (any Error).self) { try TrainingLog.read(path: folder.path) }
    return try TrainingLog.read(path: paths[0]).records
  }

  private func curve(_ tag: String, in records: TrainingRecords) -> [Int: Double] {
    let values = records.records.compactMap { record in record.values[tag].flatMap(\.self).map { (record.step, $0) } }
    return Dictionary(uniqueKeysWithValues: values)
  }

  @Test func curvesAreMediansModulesAndTraining() throws {
    let found = try curves(of: ExportSamples.odd, training: try ExportSamples.oddTraining())
    #expect(curve("reward", in: found) == [1: 0.5, 7: 0])
    #expect(curve("kl", in: found) == [3: Double(Float(1e-12)), 7: 0.25])
    let module = "model.layers.0.self_attn.q_proj"
    #expect(curve(module + "_init_relative_norm", in: found) == [5: Double(Float(0.1)), 10: Double(Float(0.3))])
    #expect(curve(module + "_previous_update_velocity", in: found) == [10: Double(Float(1e-5))])
    #expect(curve(module + "_train_norm", in: found) == [7: 4])
    let median = (0.1 + 1.0 / 3) / 2
    #expect(curve("median_init_relative_norm", in: found) == [5: Double(Float(median)), 10: Double(Float(0.3))])
    #expect(curve("median_init_left_energy_top", in: found) == [10: 0.5])
  }

  /// A page of hundreds of modules is of no use: those that moved furthest are shown, and those that a finding names.
  @Test func ofALargeModelSomeModulesAreShown() throws {
    let rows = (0..<1000).map { row(1, "m.\($0)", metrics: [.relativeNorm: Double($0), .effectiveRank: 1]) }
    let found = try curves(
      of: Analysis(
        rows: rows,
        findings: [Finding(code: "SP101", name: "n", severity: .info, module: "m.3", message: "")]))
    let shown = found.columns.filter { $0.hasPrefix("m.") && $0.hasSuffix("_relative_norm") }
    #expect(Set(shown) == Set(([3] + (801..<1000)).map { "m.\($0)_init_relative_norm" }))
    #expect(curve("median_init_relative_norm", in: found) == [1: 499.5])
  }

  @Test func exportedTwiceIsOneFile() throws {
    let folder = try TemporaryFolder()
    for _ in 0..<2 {
      _ = try ExportFormat.tensorboard.exporter.export(ExportSamples.odd, training: nil, to: folder.path)
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == [Self.name])
  }
}
