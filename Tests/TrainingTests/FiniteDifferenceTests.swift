import Adapters
import LinearAlgebra
import Testing
import Training

/// Hand-written gradients against central differences in Float64.
///
/// With a step of 1e-5 the differences err by some h²·|L‴| + 2⁻⁵³·|L|/h, about 1e-10 here; a wrong gradient errs by its own size.
@Suite struct FiniteDifferenceTests {
  private static let step = 1e-5

  static let configurations = [
    DecoderConfiguration(
      vocabularySize: 11, hiddenSize: 12, intermediateSize: 10, layerCount: 3, headCount: 3, keyValueHeadCount: 1),
    DecoderConfiguration(
      family: .llama, vocabularySize: 7, hiddenSize: 8, intermediateSize: 6, layerCount: 2, headCount: 4,
      keyValueHeadCount: 2, headSize: 6, hasAttentionBias: true, hasOutputBias: true, tiesEmbeddings: false),
    DecoderConfiguration(
      family: .llama, vocabularySize: 9, hiddenSize: 16, intermediateSize: 12, layerCount: 1, headCount: 2,
      keyValueHeadCount: 2, hasAttentionBias: false, tiesEmbeddings: true),
  ]

  /// Two prompts with completions of several lengths, one of a single token.
  static func batch(_ configuration: DecoderConfiguration) -> CompletionBatch {
    var generator = SeededGenerator(seed: 5)
    func tokens(_ count: Int) -> [Int32] {
      (0..<count).map { _ in Int32(generator.integer(in: 0..<configuration.vocabularySize)) }
    }
    return CompletionBatch([
      TokenGroup(prompt: tokens(4), completions: [tokens(3), tokens(1), tokens(5)]),
      TokenGroup(prompt: tokens(1), completions: [tokens(6)]),
      TokenGroup(prompt: tokens(3), completions: [tokens(2), tokens(2)]),
    ])
  }

  /// Weights large enough that every path matters.
  static func parameters(_ layout: DecoderLayout) -> [Double] {
    var generator = SeededGenerator(seed: 9)
    return layout.entries.flatMap { entry in
      (0..<entry.count).map { _ in
        entry.name.hasSuffix("norm.weight") ? 1 + 0.2 * generator.normal() : 0.4 * generator.normal()
      }
    }
  }

  /// A loss that is not linear in the log-probabilities: Σ wᵢ·(lᵢ + lᵢ²/4), with its slope.
  static func weight(_ number: Int) -> Double { 0.3 + 0.1 * Double(number % 7) }
  static func loss(_ logProbabilities: [Double]) -> Double {
    logProbabilities.enumerated().reduce(0) { $0 + weight($1.offset) * ($1.element + $1.element * $1.element / 4) }
  }
  static let slope: @Sendable (Int, Double) -> Double = { weight($0) * (1 + $1 / 2) }

  @Test(arguments: configurations, [DecoderSavings(), DecoderSavingsTests.variants.last!.savings])
  func everyTensorOfTheDecoder(configuration: DecoderConfiguration, savings: DecoderSavings) {
    let layout = DecoderLayout(configuration)
    let batch = Self.batch(configuration)
    let decoder = ParallelDecoder<Double>(
      layout, plan: .everything(layout), factorCount: 0, threads: 1, savings: savings)
    var parameters = Self.parameters(layout)
    let temperature = 1.7
    let sum = decoder.gradient(
      Buffer(parameters), factors: [], batch, temperature: temperature, slope: Self.slope
    ).sum
    let gradient = sum.dense.array(layout.count)
    func loss() -> Double {
      Self.loss(decoder.score(Buffer(parameters), batch, temperature: temperature).logProbabilities)
    }
    var generator = SeededGenerator(seed: 1)
    for entry in layout.entries {
      for _ in 0..<4 {
        let index = entry.offset + generator.integer(in: 0..<entry.count)
        let kept = parameters[index]
        parameters[index] = kept + Self.step
        let above = loss()
        parameters[index] = kept - Self.step
        let difference = (above - loss()) / (2 * Self.step)
        parameters[index] = kept
        #expect(abs(difference - gradient[index]) < 1e-7 * max(1, abs(difference)), "\(entry.name)")
      }
    }
  }

  /// Through a method, with its factored or dense route, without and with dropout of the adapters' inputs, whose masks are the same at
  /// every call. DoRA's norm is detached, which no difference can see: its gradient is compared with PEFT's instead, and its magnitude
  /// alone here.
  @Test(arguments: AdapterMethod.trainable, [0, 0.3])
  func everyParameterOfAMethod(method: AdapterMethod, dropout: Double) throws {
    if dropout > 0, !method.trained!.hasDropout { return }
    let layout = DecoderLayout(Self.configurations[0])
    let base = Self.parameters(layout)
    let batch = Self.batch(layout.configuration)
    var options = AdapterOptions(rank: method == .rank1 ? 1 : 2, alpha: 3)
    options.dropout = dropout
    var adapters = try AdapterSet<Double>(
      method: method, options: options,
      targets: method.trained!.layers == .norms ? ["input_layernorm", "post_attention_layernorm", "norm"] : nil,
      layout: layout, base: base, seed: 4)
    var generator = SeededGenerator(seed: 2)
    for range in trainedRanges(adapters) {
      for index in range { adapters.parameters[index] += 0.1 * generator.normal() }
    }
    let model = AdaptedModel(layout: layout, base: base, adapters: adapters, threads: 1)
    let gradient = model.gradient(batch, dropoutPlace: [1], slope: Self.slope).gradient
    func loss() -> Double {
      Self.loss(model.gradient(batch, dropoutPlace: [1], slope: Self.slope).logProbabilities)
    }
    for module in model.adapters.modules {
      for (tensor, range) in module.tensorRanges where tensor.rateFactor > 0 {
        if method == .dora, tensor.name != "lora_magnitude_vector" { continue }
        let index = range.lowerBound + generator.integer(in: 0..<range.count)
        let kept = model.adapters.parameters[index]
        model.adapters.parameters[index] = kept + Self.step
        model.refresh()
        let above = loss()
        model.adapters.parameters[index] = kept - Self.step
        model.refresh()
        let difference = (above - loss()) / (2 * Self.step)
        model.adapters.parameters[index] = kept
        #expect(abs(difference - gradient[index]) < 1e-7 * max(1, abs(difference)), "\(module.path) \(tensor.name)")
      }
    }
    model.refresh()
  }

  private func trainedRanges(_ adapters: AdapterSet<Double>) -> [Range<Int>] {
    adapters.modules.flatMap(\.tensorRanges).filter { $0.tensor.rateFactor > 0 }.map(\.range)
  }

  /// Masks differ from place to place, and without dropout's share there is none.
  @Test func masksBelongToTheirPlace() throws {
    let layout = DecoderLayout(Self.configurations[0])
    let base = Self.parameters(layout)
    let batch = Self.batch(layout.configuration)
    func logProbabilities(_ dropout: Double, _ place: [Int]?, threads: Int = 1) throws -> [Double] {
      var options = AdapterOptions(rank: 2, alpha: 3)
      options.dropout = dropout
      let adapters = try AdapterSet<Double>(
        method: .pissa, options: options, targets: nil, layout: layout, base: base, seed: 4)
      let model = AdaptedModel(layout: layout, base: base, adapters: adapters, threads: threads)
      return model.gradient(batch, dropoutPlace: place, slope: Self.slope).logProbabilities
    }
    #expect(try logProbabilities(0.3, [1]) == logProbabilities(0.3, [1], threads: 2))
    #expect(try logProbabilities(0.3, [1]) != logProbabilities(0.3, [2]))
    #expect(try logProbabilities(0.3, nil) == logProbabilities(0, [1]))
  }
}
