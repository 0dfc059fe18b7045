import Diagnosis
import Foundation
import Reporting
import RunStore
import Spectra
import TestSupport
import Testing

/// Analyses to export, and what comes of it.
enum ExportSamples {
  /// Numbers at the ends of the range, text that formats have to escape, gaps, several deltas and a module without rows.
  static var odd: Analysis {
    var analysis = Analysis(
      rows: [
        row(
          5, "model.layers.0.self_attn.q_proj", values: [2, 1.5, 0],
          metrics: [.rows: 576, .columns: 64, .rank: 4, .relativeNorm: 0.1, .effectiveRank: 1.5, .numericalRank: 2]),
        row(5, "a,\"b\"\n.größe", values: [1e-300], metrics: [.rows: 2, .columns: 2, .relativeNorm: 1.0 / 3]),
        row(
          5, "x,\u{301}y", .previous, values: [0],
          metrics: [.rows: 2, .columns: 2, .relativeNorm: .leastNonzeroMagnitude, .updateVelocity: 0]),
        row(
          10, "model.layers.0.self_attn.q_proj",
          values: [.greatestFiniteMagnitude, 0.1, .leastNormalMagnitude, .leastNonzeroMagnitude],
          metrics: [
            .rows: 576, .columns: 64, .rank: 4, .relativeNorm: 0.30000000000000004, .effectiveRank: 1.25,
            .leftEnergyTop: 0.5, .leftNullTop: 0.0625, .rightEnergyTop: 0, .rightNullTop: 0.25,
          ]),
        row(
          10, "model.layers.0.self_attn.q_proj", .previous, values: [1],
          metrics: [.rows: 576, .columns: 64, .frobeniusNorm: -0.0, .stableRank: .infinity, .updateVelocity: 1e-5]),
      ],
      findings: [
        Finding(
          step: 10, code: "SP201", name: "fast", severity: .alert, module: "x,\u{301}y", value: 0.5, threshold: 0.25,
          baseline: 0.125, pValue: 1e-9, effectSize: 2, cause: .stepSize, message: "a, \"b\"", remedy: "r"),
        Finding(step: 5, code: "SP303", name: "drift", severity: .warning, message: "c\r\nd </script>"),
        Finding(code: "SP109", name: "not-analysed", severity: .info, message: "\u{1F600}"),
      ],
      baseNorms: ["größe": 3, "model.layers.0.self_attn.q_proj": 2],
      baseValues: ["model.layers.0.self_attn.q_proj": [1, 0.5, 1e-17]])
    analysis.origin.source = "runs/<script>"
    return analysis
  }

  /// One spectrum that is longer than a row group of Parquet may be.
  static var long: Analysis {
    Analysis(rows: [
      row(
        1, "q", values: (0..<140_000).map { 1 / Double(1 + $0) }, metrics: [.rows: 2, .columns: 2, .relativeNorm: 1])
    ])
  }

  static func training(_ lines: String...) throws -> TrainingRecords {
    let folder = try TemporaryFolder()
    try folder.write("training.jsonl", lines.joined(separator: "\n") + "\n")
    return try TrainingRecords(path: folder.path("training.jsonl"))
  }

  /// With gaps, a column of its own, numbers by module, and names that are not everybody's.
  static func oddTraining() throws -> TrainingRecords {
    try training(
      #"{"step": 1, "reward": 0.5, "own, \"column\"": 1e300, "norm": {"q.10": 1.5, "q.2": null}, "norm.q.10": 7}"#,
      #"{"step": 3, "reward": NaN, "kl": 1e-12, "entropy": 0.30000000000000004}"#,
      #"{"step": 7, "reward": 0.0, "kl": 0.25, "norm": {"q.10": 2.5, "model.layers.0.self_attn.q_proj": 4}}"#)
  }

  /// The bytes of the files that a format writes, by their names.
  static func files(
    of analysis: Analysis, training: TrainingRecords? = nil, as format: ExportFormat
  ) throws -> [String: [UInt8]] {
    let folder = try TemporaryFolder()
    let paths = try format.exporter.export(analysis, training: training, to: folder.path)
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
    try #require(Set(paths) == Set(names.map(folder.path)) && paths.count == names.count)
    return Dictionary(
      uniqueKeysWithValues: try names.map { ($0, [UInt8](try Data(contentsOf: URL(filePath: folder.path($0))))) })
  }

  /// A file beside the generator that made it with a peer.
  static func reference(_ name: String) throws -> [UInt8] {
    [UInt8](try Data(contentsOf: URL(filePath: repositoryRoot + "/Tests/References/export/" + name)))
  }
}
