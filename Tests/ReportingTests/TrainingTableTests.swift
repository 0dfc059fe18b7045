import Foundation
import Reporting
import RunStore
import TestSupport
import Testing
import Weights

/// `training.csv` and its twin in JSON.
@Suite struct TrainingTableTests {
  /// The contract's columns, in its order.
  private static let columns = [
    "step", "reward", "reward_std", "frac_reward_zero_std", "frac_all_pass", "frac_all_fail", "accuracy", "retention",
    "entropy", "kl", "kl_increment", "grad_norm", "step_norm", "clip_ratio_region_mean", "completions_mean_length",
    "completions_clipped_ratio", "learning_rate", "loss",
  ]

  private func records() throws -> TrainingRecords {
    let folder = try TemporaryFolder()
    try folder.write(
      "training.jsonl",
      """
      {"step": 3, "extra": 7, "loss": 0.1, "clip_ratio/region_mean": 0.25, "norm": {"q.10": 1.5, "q.2": null}}
      {"step": 1, "reward": 1e-7, "kl": NaN}

      """)
    return try TrainingRecords(path: folder.path("training.jsonl"))
  }

  @Test func columnsAreThoseOfTheContractThenTheRest() throws {
    let found = ReportingTests.records(ofCSV: try exported(Analysis(), training: records(), as: .csv, "training.csv"))
    #expect(found[0] == Self.columns + ["extra", "norm.q.2", "norm.q.10"])
    #expect(found.count == 3)
    let rows = found.dropFirst().map { Dictionary(uniqueKeysWithValues: zip(found[0], $0)) }
    #expect(rows[0].filter { !$0.value.isEmpty } == ["step": "1", "reward": "1e-07"])
    #expect(
      rows[1].filter { !$0.value.isEmpty } == [
        "step": "3", "loss": "0.1", "clip_ratio_region_mean": "0.25", "extra": "7.0", "norm.q.10": "1.5",
      ])
  }

  @Test func jsonHasTheSameRows() throws {
    let text = try exported(Analysis(), training: records(), as: .json, "spectra.json")
    let rows = try #require(try JSONValue(parsing: text)["training"]?.array)
    #expect(rows.map { $0["step"] } == [1, 3])
    #expect(rows[0]["reward"] == 1e-7 && rows[0]["kl"] == .null && rows[1]["norm.q.10"] == 1.5)
  }

  @Test func anAnalysisAloneHasNone() throws {
    let folder = try TemporaryFolder()
    let paths = try ExportFormat.csv.exporter.export(Analysis(), training: nil, to: folder.path)
    #expect(
      paths.map { URL(filePath: $0).lastPathComponent } == ["modules.csv", "singular_values.csv", "findings.csv"])
    #expect(try JSONValue(parsing: exported(Analysis(), as: .json, "spectra.json"))["training"] == [])
  }
}
