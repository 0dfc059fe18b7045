import Adapters
import Foundation
import LinearAlgebra
import Testing
import Training

/// What is drawn, how often, and with which probabilities.
@Suite struct SamplingTests {
  let model: AdaptedModel<Float>
  private let vocabulary: Int

  init() throws {
    let layout = DecoderLayout(
      DecoderConfiguration(
        vocabularySize: 13, hiddenSize: 16, intermediateSize: 24, layerCount: 2, headCount: 2, keyValueHeadCount: 1))
    vocabulary = 13
    let base = FiniteDifferenceTests.parameters(layout).map { Float($0) }
    let adapters = try AdapterSet<Float>(
      method: .lora, options: AdapterOptions(), targets: ["q_proj"], layout: layout, base: base, seed: 0)
    model = AdaptedModel(layout: layout, base: base, adapters: adapters, threads: 2)
  }

  private func requests(_ count: Int, of prompt: [Int32], each: Int) -> [SamplingRequest] {
    (0..<count).map { index in
      SamplingRequest(
        prompt: prompt, generators: (0..<each).map { SeededGenerator(stream: .samples, index, $0) })
    }
  }

  /// Pearson's statistic of the first and of the second token, given the most frequent first one. Once in ten thousand seeds it is
  /// beyond the mean of k − 1 by more than 4.3 deviations, √(2(k − 1)), with some room for its skewness: 6 here.
  @Test(arguments: [0.7, 1.0, 1.6])
  func frequenciesAreProbabilities(temperature: Double) throws {
    let drawn = model.sample(
      requests(40, of: [3, 7, 1], each: 600),
      SamplingOptions(temperature: temperature, maximumLength: 2, endToken: nil)
    ).flatMap { $0 }
    check(drawn.map { $0.tokens[0] }, behind: [3, 7, 1], temperature)
    let counts = Dictionary(grouping: drawn, by: { $0.tokens[0] })
    let (first, rest) = counts.max { $0.value.count < $1.value.count }!
    check(rest.map { $0.tokens[1] }, behind: [3, 7, 1, first], temperature)
  }

  private func check(_ tokens: [Int32], behind prompt: [Int32], _ temperature: Double) {
    let batch = CompletionBatch([
      TokenGroup(prompt: prompt, completions: (0..<Int32(vocabulary)).map { [$0] })
    ])
    let probabilities = model.score(batch, with: .effective, temperature: temperature).logProbabilities.map {
      exp(Double($0))
    }
    #expect(abs(probabilities.reduce(0, +) - 1) < 1e-5)
    var statistic = 0.0
    for (token, probability) in probabilities.enumerated() {
      let expected = probability * Double(tokens.count)
      let found = Double(tokens.count { $0 == Int32(token) })
      statistic += (found - expected) * (found - expected) / max(expected, 1)
    }
    let freedom = Double(vocabulary - 1)
    #expect(statistic < freedom + 6 * (2 * freedom).squareRoot())
  }

  /// With a cache token by token, or all at once: the same log-probabilities and entropies up to the rounding of Float32.
  @Test(arguments: [1.0, 1.5])
  func samplerAndTrainerAgree(temperature: Double) {
    let requests = (0..<9).map { index in
      SamplingRequest(
        prompt: Array((1...Int32(index + 1)).map { $0 % 13 }),
        generators: (0..<7).map { SeededGenerator(stream: .samples, index, $0) })
    }
    let drawn = model.sample(
      requests, SamplingOptions(temperature: temperature, maximumLength: 12, endToken: 5))
    let batch = CompletionBatch(
      zip(requests, drawn).map { TokenGroup(prompt: $0.prompt, completions: $1.map(\.tokens)) })
    let scores = model.score(batch, with: .effective, temperature: temperature)
    let (own, entropies) = (drawn.flatMap { $0 }.flatMap(\.logProbabilities), drawn.flatMap { $0 }.flatMap(\.entropies))
    #expect(own.count == batch.tokenCount)
    for (a, b) in zip(own, scores.logProbabilities) { #expect(abs(a - b) < 1e-5) }
    for (a, b) in zip(entropies, scores.entropies) { #expect(abs(a - b) < 1e-5) }
  }

  @Test func completionsEndWhereTheyShould() {
    let drawn = model.sample(
      requests(20, of: [2], each: 5), SamplingOptions(maximumLength: 6, endToken: 5)
    ).flatMap { $0 }
    #expect(drawn.count == 100)
    for completion in drawn {
      #expect(completion.hasEnded == (completion.tokens.last == 5))
      #expect(!completion.tokens.dropLast().contains(5))
      #expect(completion.hasEnded || completion.tokens.count == 6)
    }
    #expect(drawn.contains(where: \.hasEnded) && drawn.contains { !$0.hasEnded })
  }

  @Test func aTemperatureOfZeroTakesTheMostProbable() {
    let drawn = model.sample(
      requests(3, of: [4, 4], each: 2), SamplingOptions(temperature: 0, maximumLength: 4, endToken: nil))
    let tokens = drawn[0][0].tokens
    #expect(drawn.flatMap { $0 }.allSatisfy { $0.tokens == tokens })
    for end in tokens.indices {
      let prefix = [4, 4] + tokens[..<end]
      let batch = CompletionBatch([TokenGroup(prompt: prefix, completions: (0..<13).map { [$0] })])
      let scores = model.score(batch, with: .effective).logProbabilities
      #expect(scores.firstIndex(of: scores.max()!) == Int(tokens[end]))
    }
  }

  @Test func aCompletionDependsOnItsOwnNumbersAlone() {
    let options = SamplingOptions(maximumLength: 8, endToken: 5)
    let all = requests(6, of: [1, 2, 3], each: 4)
    let together = model.sample(all, options)
    for (index, request) in all.enumerated() {
      #expect(model.sample([request], options)[0].map(\.tokens) == together[index].map(\.tokens))
    }
  }
}
