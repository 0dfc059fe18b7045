import Adapters
import LinearAlgebra
import OrderedCollections
import TestSupport
import Testing
import Training
import Weights

/// `grpo` without further options gives the numbers that it gave before objectives had options, to the bit: published results of the
/// laboratory rest on them.
@Suite struct GRPODigestTests {
  private static let base: PretrainedModel = {
    let folder = try! TemporaryFolder()
    try! EmbeddedBase.write(to: folder.path)
    return try! PretrainedModel(path: folder.path)
  }()

  private final class Recorder: TrainingObserver {
    var snapshots: [AdapterSnapshot] = []
    func didReachCheckpoint(_ snapshot: AdapterSnapshot) throws(FileError) { snapshots.append(snapshot) }
  }

  /// The sha256 of all parameters at all checkpoints of a short run.
  private func digest(_ change: (inout TrainingConfiguration) -> Void = { _ in }) throws -> String {
    var configuration = TrainingConfiguration()
    (configuration.steps, configuration.checkpointEvery, configuration.learningRate) = (4, 2, 5e-3)
    (configuration.heldOutCount, configuration.retentionCount) = (4, 4)
    change(&configuration)
    let recorder = Recorder()
    _ = try Trainer(configuration, base: Self.base, threads: 1, observer: recorder).run()
    var digest = SHA256()
    for tensor in recorder.snapshots.flatMap({ $0.modules.values.joined() }) { digest.update(tensor.values) }
    return digest.hexadecimal
  }

  /// The sha256 of a gradient that no objective has a part in. Sums are rounded as the processor's vectors are long, so that the constants
  /// below are those of one kind of processor; where it is another, they say nothing.
  private static let arithmetic: String = {
    let adapters = try! AdapterSet<Float>(
      method: .full, options: AdapterOptions(), targets: AdapterMethod.linearLayers, layout: base.layout,
      base: base.parameters, seed: 0)
    let model = AdaptedModel(layout: base.layout, base: base.parameters, adapters: adapters, threads: 1)
    let tokens = ["12*3+45=", "98*7+65="].map { try! base.tokenizer!.encode($0) }
    let batch = CompletionBatch(tokens.map { TokenGroup(prompt: $0, completions: tokens) })
    var digest = SHA256()
    digest.update(model.gradient(batch, slope: { _, value in value }).gradient)
    return digest.hexadecimal
  }()

  @Test(.enabled(if: arithmetic == "e389d6f8d25d562cee0fa0be7f81838e55202ba659946daa0fdd9bdf1dfc3d3a"))
  func nothingHasChanged() throws {
    #expect(try digest() == "39edb41e00313a725ae44eadd7a46ad74e04a3d2a5e9a2488bf00f1291198e99")
    let clipped = try digest {
      ($0.updatesPerRollout, $0.learningRate) = (3, 2e-2)
      $0.overrides.klCoefficient = 0.1
    }
    #expect(clipped == "dd508dfd807cc54529b13f4e6e49050348ce73e01621ec635d3fc7ae126f11b7")
  }

  @Test func theDefaults() {
    let configuration = TrainingConfiguration()
    #expect(configuration.policyLoss == PolicyLossOptions(clipLow: 0.2, clipHigh: 0.28, klCoefficient: 0))
    #expect(configuration.overlong.handling == .none && !configuration.dynamicSampling.isOn)
  }
}
