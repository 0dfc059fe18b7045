import LinearAlgebra

/// How completions are drawn. The one owner of the defaults.
package struct SamplingOptions: Equatable, Sendable {
  /// Logits are divided by it; 0 takes the most probable token.
  package var temperature: Double
  /// The most tokens of a completion, its end included.
  package var maximumLength: Int
  /// Ends a completion.
  package var endToken: Int32?

  package init(temperature: Double = 1, maximumLength: Int, endToken: Int32?) {
    self.temperature = temperature
    self.maximumLength = maximumLength
    self.endToken = endToken
  }
}

/// A prompt that completions are wanted of.
package struct SamplingRequest: Sendable {
  package var prompt: [Int32]
  /// One source of random numbers for each completion.
  package var generators: [SeededGenerator]

  package init(prompt: [Int32], generators: [SeededGenerator]) {
    self.prompt = prompt
    self.generators = generators
  }
}

/// One drawn completion.
package struct Completion<S: Sendable>: Sendable {
  package var tokens: [Int32] = []
  /// Of each token, at the temperature it was drawn at; of the undivided logits where the temperature is 0.
  package var logProbabilities: [S] = []
  /// In nats, of the distribution that each token was drawn from.
  package var entropies: [S] = []
  /// True where it ended by itself.
  package var hasEnded = false
}

extension Lane {
  /// Draws the completions of some requests together, token by token, with the keys and values so far in the cache; those
  /// that have ended leave the batch.
  func sample(
    _ weights: SamplingWeights<S>, _ requests: ArraySlice<SamplingRequest>, _ options: SamplingOptions
  ) -> [[Completion<S>]] {
    var drawing = Drawing<S>(requests, options)
    cache.reserve(rows: drawing.cacheRows)
    let temperature = options.temperature == 0 ? 1 : options.temperature
    var batch = drawing.prompts()
    while batch.rows > 0 {
      decoder.forward(weights, batch, cache: cache, temperature: temperature)
      batch = drawing.draw(from: decoder)
    }
    return drawing.completionsByRequest
  }
}

/// The state of completions that are drawn together.
private struct Drawing<S: TransformerScalar> {
  private struct Sequence {
    var completion = Completion<S>()
    var generator: SeededGenerator
    /// Rows of the cache.
    let prompt: Range<Int>
    let firstRow: Int
    /// The row of the logits that predicts its next token.
    var output: Int
  }

  private let requests: ArraySlice<SamplingRequest>
  private let options: SamplingOptions
  private var sequences: [Sequence] = []
  /// Those that have not ended, by number.
  private var active: [Int]
  private(set) var cacheRows = 0

  init(_ requests: ArraySlice<SamplingRequest>, _ options: SamplingOptions) {
    self.requests = requests
    self.options = options
    active = []
    for (index, request) in requests.enumerated() {
      let prompt = cacheRows..<cacheRows + request.prompt.count
      cacheRows = prompt.upperBound
      for generator in request.generators {
        sequences.append(Sequence(generator: generator, prompt: prompt, firstRow: cacheRows, output: index))
        cacheRows += options.maximumLength
      }
    }
    active = Array(sequences.indices)
  }

  /// The batch that fills the cache with the prompts, and predicts the first token of each.
  func prompts() -> PackedBatch {
    var batch = PackedBatch()
    var row = 0
    for request in requests {
      let count = request.prompt.count
      batch.addCached(request.prompt, at: row, outputs: count - 1..<count)
      row += count + request.generators.count * options.maximumLength
    }
    return options.maximumLength > 0 && !sequences.isEmpty ? batch : PackedBatch()
  }

  /// Draws the next token of each active sequence, and makes the batch that predicts the one after it; an empty one at the end.
  mutating func draw(from decoder: Decoder<S>) -> PackedBatch {
    let (tokens, logProbabilities, entropies) = nextTokens(decoder)
    var batch = PackedBatch()
    var remaining: [Int] = []
    for (position, number) in active.enumerated() {
      let token = tokens[position]
      sequences[number].completion.tokens.append(token)
      sequences[number].completion.logProbabilities.append(logProbabilities[position])
      sequences[number].completion.entropies.append(entropies[position])
      let count = sequences[number].completion.tokens.count
      if token == options.endToken {
        sequences[number].completion.hasEnded = true
      } else if count < options.maximumLength {
        sequences[number].output = remaining.count
        remaining.append(number)
        batch.addCached(
          next: token, number: count - 1, behind: sequences[number].prompt, at: sequences[number].firstRow)
      }
    }
    active = remaining
    return batch
  }

  private mutating func nextTokens(_ decoder: Decoder<S>) -> ([Int32], [S], [S]) {
    let (v, count) = (decoder.vocabularySize, active.count)
    let (normalizers, entropies) = (Buffer<S>(decoder.outputCount), Buffer<S>(decoder.outputCount))
    decoder.kernels.logSumExp(decoder.logits, decoder.outputCount, v, normalizers.pointer, entropies.pointer)
    let (tokens, logProbabilities) = (Buffer<Int32>(count), Buffer<S>(count))
    let uniforms = options.temperature == 0 ? [] : active.map { sequences[$0].generator.uniform() }
    func draw(_ positions: Range<Int>, fromRow row: Int) {
      let (logits, normalizer, first) = (decoder.logits + row * v, normalizers.pointer + row, positions.lowerBound)
      let (out, values) = (tokens.pointer + first, logProbabilities.pointer + first)
      if options.temperature == 0 {
        decoder.kernels.drawLargest(logits, positions.count, v, normalizer, out, values)
      } else {
        decoder.kernels.draw(logits, positions.count, v, normalizer, Array(uniforms[positions]), out, values)
      }
    }
    let rows = active.map { sequences[$0].output }
    if rows.elementsEqual(0..<count) {
      draw(0..<count, fromRow: 0)
    } else {
      // The first tokens of one prompt's completions come from one row.
      for (position, row) in rows.enumerated() { draw(position..<position + 1, fromRow: row) }
    }
    return (tokens.array(count), logProbabilities.array(count), rows.map { entropies.pointer[$0] })
  }

  var completionsByRequest: [[Completion<S>]] {
    var rest = sequences[...]
    return requests.map { request in
      defer { rest = rest.dropFirst(request.generators.count) }
      return rest.prefix(request.generators.count).map(\.completion)
    }
  }
}
