import Adapters
import Foundation
import Measurement
import OrderedCollections
import RunStore
import Spectra
import TestSupport
import Testing
import Weights

/// Adapters that mlx_lm has trained and saved, against the updates that it fuses itself.
@Suite struct MLXTests {
  private static let folder = ReferenceCase.folder + "/readers/mlx"

  /// mlx_lm fuses in Float32: rank, scale and sum round every entry six times, which moves a singular value by at most the norm of
  /// all of that (Weyl).
  @Test(arguments: ["lora", "dora"]) func theUpdateIsWhatMLXFuses(method: String) throws {
    let output = try TemporaryFolder()
    let options = MeasurementOptions(
      source: "\(Self.folder)/\(method)", base: ReferenceCase.folder + "/bases/llama-f32", output: output.path("a.h5"))
    let plan = try MeasurementPlan(options)
    #expect(plan.checkpoints.map(\.step) == [4, 8] && plan.method.rawValue == method)
    let analysis = try plan.run(options).analysis
    let expected = try JSONValue(contentsOf: Self.folder + "/expected.json")[method]
    let values = try #require(expected?["singular_values"]?.object)
    #expect(values.count == 6)
    for (module, truth) in values {
      let row = try #require(
        analysis.rows.first { $0.module == module && $0.step == 8 && $0.delta == .pretrained })
      let norms = try #require(analysis.baseNorms[module]) + row.metrics[.frobeniusNorm]!
      let exact = try #require(truth.array).map { $0.double! }
      for (index, value) in exact.enumerated() {
        let found = index < row.singularValues.count ? row.singularValues[index] : 0
        #expect(abs(found - value) <= 6 * 0x1p-24 * norms, "\(module) \(index): \(found), expected \(value)")
      }
    }
  }
}
