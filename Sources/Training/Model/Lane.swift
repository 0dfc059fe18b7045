import LinearAlgebra

/// One worker's share: a decoder with its memory, a sum of gradients, and a cache for sampling. Used by one thread at a time.
final class Lane<S: TransformerScalar>: @unchecked Sendable {
  let decoder: Decoder<S>
  let sink: GradientSink<S>
  let cache: KeyValueCache<S>
  private let normalizers = Buffer<S>(), entropies = Buffer<S>(), rowWeights = Buffer<S>()
  /// Of each linear layer; grown where there is dropout.
  private let dropoutMasks: [Buffer<S>]

  /// Enough rows for matrix products to be efficient, and few enough for a layer's activations to stay in the cache.
  private static var mostRows: Int { 512 }

  init(_ layout: DecoderLayout, savings: DecoderSavings, denseCount: Int, factorCount: Int) {
    decoder = Decoder(layout, savings: savings)
    sink = GradientSink(denseCount: denseCount, factorCount: factorCount)
    cache = KeyValueCache(layout.configuration)
    dropoutMasks = layout.linearEntries.map { _ in Buffer() }
  }

  /// Log-probabilities of the tokens of some groups, pass by pass.
  ///
  /// - Parameters:
  ///   - logProbabilities: receives one a token, at its number; so do `entropies`, where wanted.
  ///   - dropout: of the adapters' inputs, and the number of this lane.
  ///   - afterwards: called behind each pass with its tokens; may run its backward pass.
  func score(
    _ weights: UnsafePointer<S>, _ batch: CompletionBatch, groups: Range<Int>, temperature: Double,
    logProbabilities: UnsafeMutablePointer<S>, entropies tokenEntropies: UnsafeMutablePointer<S>?,
    dropout: (plan: DropoutPlan<S>, lane: Int)? = nil,
    afterwards: (Pass) -> Void = { _ in }
  ) {
    var (next, passes) = (groups.lowerBound, 0)
    while next < groups.upperBound {
      var pass = Pass()
      repeat {
        pass.add(batch.groups[next], firstToken: batch.firstTokens[next])
        next += 1
      } while next < groups.upperBound && pass.packed.rows + batch.groups[next].rows <= Self.mostRows
      decoder.forward(
        weights, pass.packed, temperature: temperature,
        dropout: dropout.map { AdapterDropout($0.plan, lane: $0.lane, pass: passes, masks: dropoutMasks) })
      passes += 1
      let (count, v) = (decoder.outputCount, decoder.vocabularySize)
      decoder.kernels.logSumExp(
        decoder.logits, count, v, normalizers.reserve(count), tokenEntropies == nil ? nil : entropies.reserve(count))
      for target in pass.targets {
        logProbabilities[target.number] =
          decoder.logits[target.output * v + Int(target.token)] - normalizers.pointer[target.output]
        tokenEntropies?[target.number] = entropies.pointer[target.output]
      }
      afterwards(pass)
    }
  }

  /// Adds the gradient of Σ coefficient·logProbability over the tokens of the pass just scored.
  func addGradient(
    _ weights: UnsafePointer<S>, of pass: Pass, coefficients: UnsafePointer<S>, plan: GradientPlan,
    factors: UnsafePointer<S>?
  ) {
    let (count, v) = (decoder.outputCount, decoder.vocabularySize)
    let sums = rowWeights.reserve(count)
    rowWeights.zero(count)
    for target in pass.targets { sums[target.output] -= coefficients[target.number] }
    decoder.kernels.weightedSoftmax(decoder.logits, count, v, normalizers.pointer, sums)
    for target in pass.targets {
      decoder.logits[target.output * v + Int(target.token)] += coefficients[target.number]
    }
    decoder.backward(weights, plan: plan, factors: factors, into: sink)
  }

  /// The groups that are computed together.
  struct Pass {
    /// A token that is predicted: by which row of the logits, and where its number lies.
    struct Target {
      var token: Int32
      var output: Int
      var number: Int
    }

    private(set) var packed = PackedBatch()
    private(set) var targets: [Target] = []

    mutating func add(_ group: TokenGroup, firstToken: Int) {
      var number = firstToken
      let promptOutput = packed.outputs.count
      let prompt = packed.add(group.prompt, outputs: group.prompt.count - 1..<group.prompt.count)
      for completion in group.completions {
        let first = packed.outputs.count
        if completion.count > 1 {
          packed.add(completion.dropLast(), behind: prompt, outputs: 0..<completion.count - 1)
        }
        for (index, token) in completion.enumerated() {
          targets.append(
            Target(token: token, output: index == 0 ? promptOutput : first + index - 1, number: number))
          number += 1
        }
      }
    }
  }
}
