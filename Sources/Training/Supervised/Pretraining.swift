import Adapters
import LinearAlgebra
import RealModule

/// How a base is made by supervised learning. The one owner of the defaults, which made the embedded base.
package struct PretrainingConfiguration: Equatable, Sendable {
  package var hiddenSize = 64
  package var layerCount = 2
  package var headCount = 4
  package var keyValueHeadCount = 2
  package var intermediateSize = 176
  package var steps = 3400
  package var batchSize = 256
  /// The largest rate; it rises over `warmupSteps` and falls along a cosine to a tenth.
  package var learningRate = 3e-3
  package var warmupSteps = 100
  package var optimizer = AdamWOptions(beta2: 0.95, weightDecay: 0.1)
  package var maximumGradientNorm = 1.0
  package var seed = 2
  /// Progress is reported every so many steps.
  package var reportEvery = 100

  package init() {}

  /// The decoder, Qwen2's way: biases on queries, keys and values, embeddings tied. It is made for sequences of 256 tokens, and for
  /// longer ones where the task has them.
  package func decoder(for task: some VerifiableTask) -> DecoderConfiguration {
    var decoder = DecoderConfiguration(
      vocabularySize: task.vocabulary.count, hiddenSize: hiddenSize, intermediateSize: intermediateSize,
      layerCount: layerCount, headCount: headCount, keyValueHeadCount: keyValueHeadCount)
    decoder.maximumLength = max(decoder.maximumLength, task.maximumPromptLength + task.maximumResponseLength)
    return decoder
  }
}

/// Makes a base: every parameter of a small decoder learns the curriculum.
package struct Pretraining {
  /// How far it is.
  package struct Progress: Sendable {
    package var step: Int
    package var steps: Int
    package var loss: Double
    /// On held-out problems of the task, sampled; where it was measured.
    package var accuracy: Double?
    package var retention: Double?
  }

  private let configuration: PretrainingConfiguration
  private let tokenizer: CharacterTokenizer
  private let layout: DecoderLayout
  private let decoder: ParallelDecoder<Float>
  private let curriculum: Curriculum
  private let accuracy: Evaluation
  private let retention: Evaluation?
  private let threads: Int

  /// Prepares a base for a task, with the task's own vocabulary.
  package init(
    _ configuration: PretrainingConfiguration, task: any VerifiableTask = TwoStepArithmetic(), threads: Int
  ) {
    self.configuration = configuration
    self.threads = threads
    tokenizer = task.vocabulary
    layout = DecoderLayout(configuration.decoder(for: task))
    decoder = ParallelDecoder(layout, plan: .everything(layout), factorCount: 0, threads: threads)
    let heldOut = task.heldOut(count: HeldOutSet.defaultCount)
    curriculum = Curriculum(of: task, excluding: heldOut, HeldOutSet(of: StringOperations()))
    accuracy = Evaluation(heldOut, of: task, tokenizer: tokenizer, temperature: 1)
    retention = Evaluation(retentionOf: HeldOutSet.defaultCount, tokenizer: tokenizer)
  }

  /// Trains from a random start, and returns the model as it then is.
  ///
  /// - Returns: nil where `shouldStop` wished an end before the last step.
  /// - Throws: `TokenizationError`, which no task with its own vocabulary causes.
  package func run(
    shouldStop: () -> Bool = { false }, report: (Progress) -> Void = { _ in }
  ) throws(TokenizationError) -> PretrainedModel? {
    var parameters = start()
    let groups = layout.entries.map { ParameterGroup(range: $0.range, decays: $0.shape.count > 1) }
    var optimizer = AdamW<Float>(count: layout.count, options: configuration.optimizer, groups: groups)
    for step in 1...configuration.steps {
      if shouldStop() { return nil }
      var generator = SeededGenerator(stream: .curriculum, configuration.seed, step)
      let examples = (0..<configuration.batchSize).map { _ in curriculum.example(&generator) }
      let batch = try CompletionBatch(examples, tokenizer)
      let slope = -1 / Float(batch.tokenCount)
      let (sum, logProbabilities) = decoder.gradient(
        Buffer(parameters), factors: [], batch, temperature: 1, slope: { _, _ in slope })
      var gradient = sum.dense.array(layout.count)
      _ = clipNorm(of: &gradient, to: configuration.maximumGradientNorm)
      optimizer.step(&parameters, gradient: gradient, learningRate: learningRate(step))
      if step % configuration.reportEvery == 0 || step == configuration.steps {
        let loss = -mean(logProbabilities.map(Double.init))
        report(try progress(step, loss, parameters))
      }
    }
    return PretrainedModel(layout.configuration, parameters: parameters, tokenizer: tokenizer)
  }

  /// Norms at 1, biases at 0, matrices normal with a deviation of 0.02.
  private func start() -> [Float] {
    var generator = SeededGenerator(stream: .modelStart, configuration.seed)
    return layout.entries.flatMap { entry -> [Float] in
      if entry.name.hasSuffix("norm.weight") { return Array(repeating: 1, count: entry.count) }
      if entry.name.hasSuffix(".bias") { return Array(repeating: 0, count: entry.count) }
      return (0..<entry.count).map { _ in Float(0.02 * generator.normal()) }
    }
  }

  private func learningRate(_ step: Int) -> Double {
    let warmup = min(1, Double(step) / Double(configuration.warmupSteps))
    let phase = Double.pi * Double(step) / Double(configuration.steps)
    return configuration.learningRate * warmup * (0.1 + 0.45 * (1 + .cos(phase)))
  }

  private func progress(_ step: Int, _ loss: Double, _ parameters: [Float]) throws(TokenizationError) -> Progress {
    // A model without adapters is its base.
    let adapters = try! AdapterSet<Float>(
      method: .lora, options: .init(), targets: [], layout: layout, base: parameters, seed: 0)
    let model = AdaptedModel(layout: layout, base: parameters, adapters: adapters, threads: threads)
    return Progress(
      step: step, steps: configuration.steps, loss: loss, accuracy: try accuracy.accuracy(of: model),
      retention: try retention?.accuracy(of: model))
  }
}
