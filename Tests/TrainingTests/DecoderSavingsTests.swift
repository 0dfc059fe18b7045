import Adapters
import Foundation
import LinearAlgebra
import Testing
import Training

/// What is saved, beside the plain way: the same gradients, log-probabilities and draws up to rounding.
@Suite struct DecoderSavingsTests {
  /// Without one saving, or without any.
  struct Variant: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let savings: DecoderSavings

    init(_ name: String, _ savings: DecoderSavings) { (testDescription, self.savings) = (name, savings) }
  }

  static let variants = [
    Variant("without fused projections", DecoderSavings(fusesProjections: false)),
    Variant("without merged weights", DecoderSavings(mergesWeights: false)),
    Variant("without packed weights", DecoderSavings(packsWeights: false)),
    Variant("with gradients below", DecoderSavings(stopsAtFirstTrained: false)),
    Variant("with plain loops", DecoderSavings(usesVectorKernels: false)),
    Variant(
      "without any",
      DecoderSavings(
        fusesProjections: false, mergesWeights: false, packsWeights: false, stopsAtFirstTrained: false,
        usesVectorKernels: false)),
  ]

  /// Heads of 4, 6, 8 and 32, in and out of whole vectors; the last is size s of the benchmarks.
  static let configurations =
    FiniteDifferenceTests.configurations + [
      DecoderConfiguration(
        vocabularySize: 64, hiddenSize: 128, intermediateSize: 384, layerCount: 4, headCount: 4, keyValueHeadCount: 2)
    ]

  /// How far two ways of the same may be apart, relative to the result's norm. A product whose sums have K terms errs by about √K units of
  /// rounding; some nine products and functions a layer follow one another on the way up, and as many on the way down; and both ways err.
  static func tolerance<S: TransformerScalar>(_: S.Type, _ configuration: DecoderConfiguration) -> Double {
    let longest = max(configuration.intermediateSize, configuration.hiddenSize, configuration.querySize)
    return 2 * Double(S.unitRoundoff) * Double(2 * 9 * configuration.layerCount) * Double(longest).squareRoot()
  }

  /// A model whose activations keep their size from layer to layer, with adapters that have left their start.
  private func model<S: TransformerScalar>(
    _ configuration: DecoderConfiguration, _ method: AdapterMethod, targets: [String]? = nil, dropout: Double = 0,
    _ savings: DecoderSavings, as: S.Type
  ) throws -> AdaptedModel<S> {
    let layout = DecoderLayout(configuration)
    var random = SeededGenerator(seed: 9)
    let base = layout.entries.flatMap { entry in
      let deviation = entry.shape.count == 1 ? 0.2 : 1 / Double(entry.shape[1]).squareRoot()
      return (0..<entry.count).map { _ in
        S((entry.name.hasSuffix("norm.weight") ? 1 : 0) + deviation * random.normal())
      }
    }
    var options = AdapterOptions(rank: 2, alpha: 3)
    options.dropout = dropout
    var adapters = try AdapterSet<S>(
      method: method, options: options, targets: targets, layout: layout, base: base, seed: 4)
    for (_, range) in adapters.modules.flatMap(\.tensorRanges) {
      for index in range { adapters.parameters[index] += S(0.1 * random.normal()) }
    }
    return AdaptedModel(layout: layout, base: base, adapters: adapters, threads: 1, savings: savings)
  }

  private func distance<S: TransformerScalar>(_ x: [S], _ y: [S]) -> Double { relativeDistance(x, S.doubles(y)) }

  private static func slope<S: TransformerScalar>(_ number: Int, _ value: S) -> S {
    S(FiniteDifferenceTests.slope(number, Double(value)))
  }

  // MARK: Gradients

  private func checkGradients<S: TransformerScalar>(
    _ configuration: DecoderConfiguration, _ method: AdapterMethod, targets: [String]? = nil, dropout: Double = 0,
    _ variant: Variant, as: S.Type
  ) throws {
    let batch = FiniteDifferenceTests.batch(configuration)
    func results(_ savings: DecoderSavings) throws -> (gradient: [S], logProbabilities: [S], entropies: [S]) {
      let model = try model(configuration, method, targets: targets, dropout: dropout, savings, as: S.self)
      let (gradient, logProbabilities) = model.gradient(
        batch, temperature: 1.3, dropoutPlace: dropout > 0 ? [1] : nil, slope: { Self.slope($0, $1) })
      return (gradient, logProbabilities, model.score(batch, with: .effective).entropies)
    }
    let (fast, plain) = (try results(DecoderSavings()), try results(variant.savings))
    let tolerance = Self.tolerance(S.self, configuration)
    #expect(distance(fast.gradient, plain.gradient) < tolerance)
    #expect(distance(fast.logProbabilities, plain.logProbabilities) < tolerance)
    #expect(distance(fast.entropies, plain.entropies) < tolerance)
  }

  /// Of factors, of whole weights (DoRA), of norms, and with dropout of the adapters' inputs.
  @Test(arguments: variants, configurations)
  func gradientsAreTheSame(variant: Variant, configuration: DecoderConfiguration) throws {
    for method in [AdapterMethod.lora, .pissa, .dora] {
      try checkGradients(configuration, method, variant, as: Float.self)
      try checkGradients(configuration, method, variant, as: Double.self)
    }
    try checkGradients(configuration, .lora, dropout: 0.3, variant, as: Double.self)
    try checkGradients(
      configuration, .lnTuning, targets: ["input_layernorm", "post_attention_layernorm", "norm"], variant,
      as: Double.self)
  }

  /// Where only the last layer is trained, in whole or its last matrix alone.
  @Test(arguments: variants, configurations)
  func gradientsOfTheLastLayerAreTheSame(variant: Variant, configuration: DecoderConfiguration) throws {
    let last = "layers.\(configuration.layerCount - 1)."
    for targets in [[last + "self_attn.q_proj", last + "mlp.gate_proj"], [last + "mlp.down_proj"]] {
      try checkGradients(configuration, .lora, targets: targets, variant, as: Float.self)
      try checkGradients(configuration, .lora, targets: targets, variant, as: Double.self)
    }
  }

  /// The whole model, norms, biases and embeddings included.
  @Test(arguments: variants, configurations)
  func denseGradientsAreTheSame(variant: Variant, configuration: DecoderConfiguration) {
    let layout = DecoderLayout(configuration)
    let batch = FiniteDifferenceTests.batch(configuration)
    let weights = FiniteDifferenceTests.parameters(layout).map { $0 / Double(configuration.hiddenSize).squareRoot() }
    func gradient(_ savings: DecoderSavings) -> [Double] {
      let decoder = ParallelDecoder<Double>(
        layout, plan: .everything(layout), factorCount: 0, threads: 1, savings: savings)
      let sum = decoder.gradient(
        Buffer(weights), factors: [], batch, temperature: 1, slope: FiniteDifferenceTests.slope
      ).sum
      return sum.dense.array(layout.count)
    }
    #expect(
      distance(gradient(DecoderSavings()), gradient(variant.savings)) < Self.tolerance(Double.self, configuration))
  }

  // MARK: Sampling

  private func checkSampling<S: TransformerScalar>(
    _ configuration: DecoderConfiguration, _ method: AdapterMethod, _ variant: Variant, as: S.Type
  ) throws {
    func drawn(_ savings: DecoderSavings) throws -> [Completion<S>] {
      let requests = (0..<9).map { index in
        SamplingRequest(
          prompt: (1...Int32(index + 1)).map { $0 % 7 },
          generators: (0..<5).map { SeededGenerator(stream: .samples, index, $0) })
      }
      return try model(configuration, method, savings, as: S.self).sample(
        requests, SamplingOptions(temperature: 1.2, maximumLength: 8, endToken: 5)
      ).flatMap { $0 }
    }
    let (fast, plain) = (try drawn(DecoderSavings()), try drawn(variant.savings))
    #expect(fast.map(\.tokens) == plain.map(\.tokens))
    let tolerance = Self.tolerance(S.self, configuration)
    #expect(distance(fast.flatMap(\.logProbabilities), plain.flatMap(\.logProbabilities)) < tolerance)
    #expect(distance(fast.flatMap(\.entropies), plain.flatMap(\.entropies)) < tolerance)
  }

  /// With factors beside W₀ (LoRA) or beside what is left of it (PiSSA), and of weights that have none (DoRA).
  @Test(arguments: variants, configurations)
  func samplesAreTheSame(variant: Variant, configuration: DecoderConfiguration) throws {
    for method in [AdapterMethod.lora, .pissa, .dora] {
      try checkSampling(configuration, method, variant, as: Float.self)
      try checkSampling(configuration, method, variant, as: Double.self)
    }
  }

  // MARK: What the caller saves

  /// Prompts once for each completion rather than once for all.
  private func checkSharedPrompts<S: TransformerScalar>(_ configuration: DecoderConfiguration, as: S.Type) throws {
    let model = try model(configuration, .lora, DecoderSavings(), as: S.self)
    let batch = FiniteDifferenceTests.batch(configuration)
    let single = CompletionBatch(
      batch.groups.flatMap { group in
        group.completions.map { TokenGroup(prompt: group.prompt, completions: [$0]) }
      })
    let shared = model.gradient(batch, slope: { Self.slope($0, $1) })
    let alone = model.gradient(single, slope: { Self.slope($0, $1) })
    let tolerance = Self.tolerance(S.self, configuration)
    #expect(distance(shared.gradient, alone.gradient) < tolerance)
    #expect(distance(shared.logProbabilities, alone.logProbabilities) < tolerance)
    let options = SamplingOptions(maximumLength: 8, endToken: 5)
    let generators = (0..<6).map { SeededGenerator(stream: .samples, $0) }
    let together = model.sample([SamplingRequest(prompt: [1, 2, 3], generators: generators)], options)[0]
    let apart = model.sample(generators.map { SamplingRequest(prompt: [1, 2, 3], generators: [$0]) }, options).map {
      $0[0]
    }
    #expect(together.map(\.tokens) == apart.map(\.tokens))
    #expect(distance(together.flatMap(\.logProbabilities), apart.flatMap(\.logProbabilities)) < tolerance)
  }

  @Test(arguments: configurations) func aSharedPromptChangesNothing(configuration: DecoderConfiguration) throws {
    try checkSharedPrompts(configuration, as: Float.self)
    try checkSharedPrompts(configuration, as: Double.self)
  }

  /// Completions with an advantage of zero in the batch, or left out of it.
  private func checkZeroAdvantages<S: TransformerScalar>(_ configuration: DecoderConfiguration, as: S.Type) throws {
    let model = try model(configuration, .lora, DecoderSavings(), as: S.self)
    let batch = FiniteDifferenceTests.batch(configuration)
    // The whole second group, and the second completion of the first.
    let advantages: [[S]] = [[0.5, 0, -1], [0], [2, -0.25]]
    let kept = CompletionBatch(
      [(0, [0, 2]), (2, [0, 1])].map { group, completions in
        TokenGroup(
          prompt: batch.groups[group].prompt, completions: completions.map { batch.groups[group].completions[$0] })
      })
    func slopes(_ batch: CompletionBatch, _ advantages: [[S]]) -> [S] {
      zip(batch.groups, advantages).flatMap { group, values in
        zip(group.completions, values).flatMap { Array(repeating: $1, count: $0.count) }
      }
    }
    let (all, some) = (slopes(batch, advantages), slopes(kept, [[0.5, -1], [2, -0.25]]))
    #expect(
      distance(
        model.gradient(batch, slope: { number, _ in all[number] }).gradient,
        model.gradient(kept, slope: { number, _ in some[number] }).gradient) < Self.tolerance(S.self, configuration))
  }

  @Test(arguments: configurations) func advantagesOfZeroChangeNothing(configuration: DecoderConfiguration) throws {
    try checkZeroAdvantages(configuration, as: Float.self)
    try checkZeroAdvantages(configuration, as: Double.self)
  }
}
