import Measurement
import OrderedCollections
import RunStore
import Spectra
import TestSupport
import Testing
import Weights

/// Angles down to 1e-9 rad over a Float64 base, against 50 digits.
@Suite struct SmallAngleTests {
  private let expected: JSONValue

  init() throws {
    expected = try JSONValue(
      contentsOf: ReferenceCase.folder + "/" + #require(ReferenceCase.manifest["angles"]?.string))
  }

  private func measured(_ depth: MeasurementDepth) throws -> Analysis {
    let folder = try TemporaryFolder()
    let options = MeasurementOptions(
      source: ReferenceCase.folder + "/" + expected["source"]!.string!,
      base: ReferenceCase.folder + "/" + expected["base"]!.string!, depth: depth, output: folder.path("analysis.h5"))
    return try MeasurementPlan(options).run(options).analysis
  }

  /// 1e-6 rad to 1 %; below that a value is within the error that is printed with it, or missing.
  @Test(arguments: [MeasurementDepth.full, .geometry]) func anglesOfAMillionthAreRightToAPercent(
    depth: MeasurementDepth
  ) throws {
    let rows = Dictionary(
      uniqueKeysWithValues: try measured(depth).rows.filter { $0.delta == .initial }.map {
        ("\($0.step) \($0.module)", $0)
      })
    var compared = 0
    for entry in try #require(expected["rows"]?.array) {
      let name = "\(entry["step"]!.int!) \(entry["module"]!.string!)"
      let metrics = try #require(rows[name]).metrics
      for (key, value) in try #require(entry.object) {
        guard let metric = Metric(rawValue: key), let truth = value.string.flatMap(Double.init) else { continue }
        if metric == .spectralShift { continue }
        let error = try #require(key.contains("rotation") ? metrics[.rotationError] : metrics[.alignmentError])
        guard truth >= 0.99e-6 * 180 / .pi else {
          if let found = metrics[metric] { #expect(abs(found - truth) <= error, "\(name) \(key)") }
          continue
        }
        let found = try #require(metrics[metric], "\(name) \(key)")
        #expect(
          abs(found - truth) <= min(0.01 * truth, error), "\(name) \(key): \(found), expected \(truth) ± \(error)")
        compared += 1
      }
    }
    #expect(compared > 10)
  }
}
