import Diagnosis
import Foundation
import RunStore
import Spectra
import Weights

/// A folder of its own for one test, removed in the end.
func withFolder<T>(_ body: (String) throws -> T) throws -> T {
  let folder = FileManager.default.temporaryDirectory.appending(path: "runstore-\(UUID().uuidString)").path
  try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(atPath: folder) }
  return try body(folder)
}

/// The error of `body`, or nil when it threw none.
func fileError<T>(_ body: () throws(FileError) -> T) -> FileError? {
  do throws(FileError) {
    _ = try body()
    return nil
  } catch {
    return error
  }
}

/// The bytes of a file.
func bytes(of path: String) throws -> [UInt8] {
  [UInt8](try Data(contentsOf: URL(filePath: path)))
}

/// The names in a folder.
func entries(of folder: String) throws -> [String] {
  try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
}

/// A row whose every number follows from its place, so that a swapped axis cannot go unseen.
func row(
  _ step: Int, _ module: String, _ delta: Delta = .initial, method: String = "lora", values: [Double] = [2, 1],
  _ more: [Metric: Double] = [:], profile: [ProfileBin] = [], updated: [Double] = []
) -> SpectrumRow {
  var metrics = MetricValues()
  metrics[.rows] = 8
  metrics[.columns] = 4
  for (metric, value) in more { metrics[metric] = value }
  return SpectrumRow(
    step: step, module: module, method: method, delta: delta, metrics: metrics, singularValues: values,
    profile: profile,
    updatedValues: updated)
}

/// Bins of four components, one in every second or third bin, and a null space on the left: as of an 8 × 4 weight. Without shares where
/// the update is zero.
func profile(hasShares: Bool) -> [ProfileBin] {
  Side.allCases.flatMap { side in
    let bins = ProfileBin.ranges(order: 4).map { bin, range in
      ProfileBin(
        side: side, bin: bin, components: range.lowerBound...range.upperBound - 1,
        share: hasShares ? Double(bin) / 16 : nil, null: side == .left ? 0.125 : 0.25)
    }
    let null = ProfileBin(side: side, bin: ProfileBin.count, components: nil, share: hasShares ? 0.5 : nil, null: 0.5)
    return side == .left ? bins + [null] : bins
  }
}

let second = "layers.2.q_proj"
let tenth = "layers.10.größe.层"

/// Two steps, two modules, one missing row, spectra of different lengths, a second delta and findings.
let sample = Analysis(
  origin: AnalysisOrigin(
    source: "runs/größe", base: "base", createdBy: "spectroscope 0.0", depth: "full", coverage: "2 of 2 checkpoints"),
  rows: [
    row(5, second, values: [3, 2, 0.1], [.relativeNorm: 0.5, .frobeniusNorm: 52, .rank: 4]),
    row(20, second, values: [4, 0.2], [.relativeNorm: 0.1, .frobeniusNorm: 202]),
    row(20, second, .pretrained, values: [4, 0.2], profile: profile(hasShares: true), updated: [9, 8, 7, 0.5]),
    row(20, second, .previous, method: "dora", values: [], [.relativeNorm: 0, .updateVelocity: 1e-300]),
    row(20, tenth, method: "pissa", values: [7], [.relativeNorm: 1.0 / 3, .frobeniusNorm: .infinity]),
    row(20, tenth, .pretrained, values: [], profile: profile(hasShares: false), updated: [6, 5]),
  ],
  findings: [
    Finding(code: "SP105", name: "alpha-is-zero", severity: .alert, message: "α is 0: \"nothing\" learns\n"),
    Finding(
      step: 20, code: "SP201", name: "fast", severity: .warning, module: tenth, value: 0.1, threshold: -2e-300,
      baseline: .infinity, pValue: 1e-9, message: "a/b"),
  ],
  baseNorms: [second: 104.0, tenth: 0.1, "lm_head": 3], baseValues: [second: [9, 8, 7, 0.25], tenth: [6, 5]])
