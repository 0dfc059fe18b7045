import Adapters
import Measurement
import RunStore
import Spectra
import TestSupport
import Testing
import Training
import Weights

/// The layers that a run is planned on, and what is expected of their first steps.
@Suite struct PlannedBaseTests {
  private let folder = try! TemporaryFolder()

  private static let methods = AdapterMethod.trainable.filter { $0.trained!.reasonWithoutStepLaw == nil }

  /// What is expected before there is an adapter is what the adapter of step 0 then has: exactly, where its start is computed from the
  /// base (whose residual is rounded to Float32), else as nearly as a random start of 14 layers is its mean.
  @Test(arguments: methods) func isWhatTheAdapterOfStepZeroHas(method: AdapterMethod) throws {
    let run = try TrainedRun(method, in: folder.path, steps: 1)
    let options = try MeasurementOptions(
      run: ExtractedRun(of: run.path), base: folder.path + "/embedded", depth: .update)
    let rows = try MeasurementPlan(options).run(options).analysis.rows.filter { $0.step == 0 && $0.delta == .initial }
    let trained = method.trained!
    let planned = try PlannedBase(path: folder.path + "/embedded", method: trained, targets: nil)
    let layers = try planned.layers(
      keeping: trained.startsInSingularValues ? KeptVectors(directions: 4) : nil, nil, jobs: 1)
    #expect(Set(layers.map(\.path)) == Set(rows.map(\.module)) && planned.count == rows.count)
    let adapter = run.configuration.adapter.resolved(for: method)
    var (expected, found) = ([Double](), [Double]())
    for row in rows {
      let layer = try #require(layers.first { $0.path == row.module })
      #expect(layer.rows == Int(row.metrics[.rows]!) && layer.columns == Int(row.metrics[.columns]!))
      expected.append(trained.startStepNorm(layer, adapter)!)
      found.append(row.metrics[.unitStep]! * layer.norm)
    }
    let isRandom = [.lora, .rslora, .loraPlus, .dora, .adalora, .vera, .rank1].contains(method)
    #expect(abs(euclideanNorm(found) / euclideanNorm(expected) - 1) < (isRandom ? 0.05 : 1e-5), "\(method)")
  }

  @Test func targetsAreEndsOfNames() throws {
    let llama = ReferenceCase.folder + "/bases/llama"
    let planned = try PlannedBase(path: llama, method: TrainedLoRA.self, targets: ["q_proj", "0.mlp.up_proj"])
    #expect(planned.count == 3 && planned.isHalf)
    #expect(throws: PlanError.self) { try PlannedBase(path: llama, method: TrainedLoRA.self, targets: ["proj"]) }
  }

  @Test func aRankMustFit() throws {
    let llama = ReferenceCase.folder + "/bases/llama"
    let planned = try PlannedBase(path: llama, method: TrainedPiSSA.self, targets: nil)
    let options = AdapterOptions(rank: 49).resolved(for: .pissa)
    let error = #expect(throws: PlanError.self) { try planned.requireRoom(for: options, of: TrainedPiSSA.self) }
    #expect(error == .rankTooLarge(49, module: "model.layers.0.self_attn.k_proj", largest: 48))
  }
}
