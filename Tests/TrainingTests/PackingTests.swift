import Adapters
import LinearAlgebra
import Testing
import Training

/// Sequences packed one behind the other, with shared prompts, on any number of threads.
@Suite struct PackingTests {
  private let layout = DecoderLayout(FiniteDifferenceTests.configurations[0])

  @Test func aPackedSequenceIsWhatItIsAlone() {
    let weights = FiniteDifferenceTests.parameters(layout)
    let batch = FiniteDifferenceTests.batch(layout.configuration)
    let decoder = ParallelDecoder<Double>(layout, plan: .everything(layout), factorCount: 0, threads: 1)
    let together = decoder.score(Buffer(weights), batch, temperature: 1)
    var number = 0
    for group in batch.groups {
      for completion in group.completions {
        let alone = decoder.score(
          Buffer(weights), CompletionBatch([TokenGroup(prompt: group.prompt, completions: [completion])]),
          temperature: 1)
        for token in completion.indices {
          #expect(abs(alone.logProbabilities[token] - together.logProbabilities[number]) < 1e-12)
          #expect(abs(alone.entropies[token] - together.entropies[number]) < 1e-12)
          number += 1
        }
      }
    }
    #expect(number == batch.tokenCount)
  }

  /// Large enough for several lanes, and passes within them.
  @Test func threadsChangeNothing() throws {
    let base = FiniteDifferenceTests.parameters(layout).map { Float($0) }
    var generator = SeededGenerator(seed: 4)
    let groups = (0..<150).map { index in
      TokenGroup(
        prompt: (0..<3 + index % 5).map { _ in Int32(generator.integer(in: 0..<11)) },
        completions: (0..<1 + index % 4).map { _ in
          (0..<1 + index % 9).map { _ in Int32(generator.integer(in: 0..<11)) }
        })
    }
    let batch = CompletionBatch(groups + groups + groups)
    var results: [([Float], [Float], [[Int32]])] = []
    for threads in [1, 2, 3] {
      let adapters = try AdapterSet<Float>(
        method: .dora, options: AdapterOptions(rank: 2), targets: AdapterMethod.linearLayers, layout: layout,
        base: base, seed: 1)
      let model = AdaptedModel(layout: layout, base: base, adapters: adapters, threads: threads)
      let (gradient, scores) = model.gradient(batch, slope: { number, _ in Float(number % 3) - 1 })
      let requests = (0..<70).map { index in
        SamplingRequest(
          prompt: [1, 2], generators: (0..<4).map { SeededGenerator(stream: .samples, index, $0) })
      }
      let drawn = model.sample(requests, SamplingOptions(maximumLength: 5, endToken: 0))
      results.append((gradient, scores, drawn.flatMap { $0.map(\.tokens) }))
    }
    for result in results.dropFirst() {
      #expect(result.0 == results[0].0)
      #expect(result.1 == results[0].1)
      #expect(result.2 == results[0].2)
    }
  }
}
