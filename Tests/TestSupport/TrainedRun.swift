import Adapters
import LinearAlgebra
import OrderedCollections
import RunStore
import Training
import Weights

/// A run folder that the training core wrote: a few supervised steps on the embedded base, of a rate that moves every tensor.
package struct TrainedRun {
  package let path: String
  package let base: PretrainedModel
  package let configuration: TrainingConfiguration

  /// Trains in `folder`, below the name `run`.
  package init(
    _ method: AdapterMethod, in folder: String, steps: Int = 3, change: (inout TrainingConfiguration) -> Void = { _ in }
  ) throws {
    _ = oneBLASThread
    try EmbeddedBase.write(to: folder + "/embedded")
    base = try PretrainedModel(path: folder + "/embedded")
    path = folder + "/run"
    var configuration = TrainingConfiguration()
    (configuration.method, configuration.objective) = (method, .sft)
    (configuration.steps, configuration.checkpointEvery, configuration.learningRate) = (steps, 2, 0.02)
    (configuration.prompts, configuration.heldOutCount, configuration.retentionCount) = (4, 1, 1)
    configuration.telemetry = .off
    change(&configuration)
    self.configuration = configuration
    let identity = RunIdentity(
      configuration, baseID: try BaseIdentity.sha256(of: BaseModel(path: folder + "/embedded")),
      createdBy: "spectroscope test")
    let recorder = RunRecorder(path: path, identity: identity)
    _ = try Trainer(configuration, base: base, threads: 1, observer: recorder).run()
  }

  /// All parameters of the base with the effective weights of a checkpoint in their places, as training computes them.
  package func weights(at step: Int) throws -> [Float] {
    var adapters = try AdapterSet<Float>(
      method: configuration.method, options: configuration.adapter, targets: configuration.targets, layout: base.layout,
      base: base.parameters, seed: configuration.seed)
    let unfit = adapters.restore(try RunFolder(path: path).snapshot(at: step))
    precondition(unfit == nil, "the checkpoint lacks \(unfit!)")
    var weights = base.parameters
    adapters.writeEffectiveWeights(into: &weights)
    return weights
  }

  /// The logits of every position of a text.
  package func logits(of tokens: [Int32], weights: [Float]) -> [Float] {
    let decoder = Decoder<Float>(base.layout)
    var batch = PackedBatch()
    batch.add(tokens, outputs: 0..<tokens.count)
    decoder.forward(weights, batch)
    return Array(UnsafeBufferPointer(start: decoder.logits, count: tokens.count * decoder.vocabularySize))
  }
}
