import Adapters
import Measurement
import RunStore
import Spectra
import TestSupport
import Testing
import Weights

/// Runs whose method moved a part of the base into the adapter, exported to PEFT's form: analysis finds in them what it finds in the
/// run, over the residual base and over the original one.
@Suite struct ExportedRunTests {
  private let folder = try! TemporaryFolder()

  private func rows(_ options: MeasurementOptions) throws -> [String: SpectrumRow] {
    let analysis = try MeasurementPlan(options).run(options).analysis
    return Dictionary(
      uniqueKeysWithValues: analysis.rows.map { ("\($0.step) \($0.module) \($0.delta.rawValue)", $0) })
  }

  @Test(arguments: [AdapterMethod.pissa, .milora, .svd], [false, true])
  func theUpdatesAreTheSame(method: AdapterMethod, isPlain: Bool) throws {
    let trained = try TrainedRun(method, in: folder.path)
    let run = try ExtractedRun(of: trained.path)
    let target = folder.path("peft")
    _ = try PEFTConversion(of: run, isPlain: isPlain).write(to: target, base: trained.base)
    let expected = try rows(
      MeasurementOptions(run: run, base: folder.path("embedded"), output: folder.path("run.h5")))
    let found = try rows(
      MeasurementOptions(source: target, base: target + "/base", output: folder.path("peft.h5")))
    #expect(found.values.allSatisfy { $0.method == "lora" })
    // Over the residual base, what separates a model from its base is the whole adapter, and no longer what it learned.
    let deltas: [Delta] = isPlain ? [.initial, .pretrained, .previous] : [.initial, .previous]
    let names = expected.filter { deltas.contains($0.value.delta) }.keys
    #expect(names.count >= 14 * 5)
    for name in names {
      let row = try #require(found[name], "\(name)")
      for metric in [Metric.frobeniusNorm, .spectralNorm, .effectiveRank] {
        let (a, b) = (expected[name]!.metrics[metric], row.metrics[metric])
        if name.hasPrefix("0 "), a ?? 0 == 0 { continue }
        let (value, same) = (try #require(a), try #require(b, "\(name) \(metric)"))
        #expect(abs(same - value) <= 1e-5 * value, "\(name) \(metric): \(same), expected \(value)")
      }
    }
  }
}
