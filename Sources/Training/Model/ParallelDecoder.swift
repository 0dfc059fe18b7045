import LinearAlgebra

/// Decoders side by side on several threads.
///
/// Work is cut into lanes, as many as there is work for, whose results are put together in order: so the number of threads changes
/// nothing but time.
package final class ParallelDecoder<S: TransformerScalar> {
  package let layout: DecoderLayout
  package let threads: Int
  private let plan: GradientPlan
  private let lanes: [Lane<S>]
  private let savings: DecoderSavings
  /// The weights that were last sampled from, where that is faster; as large as the model, and not made where nothing is sampled.
  private lazy var packed: PackedWeights<S>? =
    savings.packsWeights ? PackedWeights(layout, fused: savings.fusesProjections) : nil

  private static var mostLanes: Int { 8 }
  /// Enough rows a lane for matrix products to be efficient.
  private static var rowsPerLane: Int { 1024 }

  private static var sequencesPerLane: Int { 64 }

  /// How many lanes so many rows are cut into; it depends on nothing else.
  private static func laneCount(rows: Int) -> Int { min(mostLanes, max(2, rows / rowsPerLane)) }

  /// - Parameter factorCount: how many parameters an adapter has, for the factored gradients of `plan`.
  package init(
    _ layout: DecoderLayout, plan: GradientPlan, factorCount: Int, threads: Int,
    savings: DecoderSavings = DecoderSavings()
  ) {
    self.layout = layout
    self.threads = threads
    self.plan = plan
    self.savings = savings
    lanes = (0..<Self.mostLanes).map { _ in
      Lane(layout, savings: savings, denseCount: plan.wantsDense ? layout.count : 0, factorCount: factorCount)
    }
  }

  /// Runs `body` for each of the first `count` lanes with its number, on at most `threads` threads.
  private func forEachLane(_ count: Int, _ body: @escaping @Sendable (Int, Lane<S>) -> Void) {
    let used = Array(lanes.prefix(count).enumerated())
    if threads == 1 {
      for (index, lane) in used { body(index, lane) }
    } else {
      // The body throws nothing, and nothing stops it.
      try! forEachConcurrently(used, workers: threads) { body($0.offset, $0.element) }
    }
  }

  /// Draws completions of every request.
  ///
  /// - Parameter branches: adapters that are not merged into the weights.
  func sample(
    _ weights: Buffer<S>, branches: AdapterBranches<S>? = nil, _ requests: [SamplingRequest],
    _ options: SamplingOptions
  ) -> [[Completion<S>]] {
    packed?.update(from: weights.pointer)
    let weights = SamplingWeights(flat: weights, packed: packed, branches: branches)
    // One token of each sequence is computed at a time, so their number is what makes a product efficient.
    let sequences = requests.reduce(0) { $0 + $1.generators.count }
    let count = min(Self.mostLanes, max(1, sequences / Self.sequencesPerLane))
    let bounds = (0...count).map { $0 * requests.count / count }
    let results = Buffer<[[Completion<S>]]>(count)
    results.pointer.initialize(repeating: [], count: count)
    defer { results.pointer.deinitialize(count: count) }
    forEachLane(count) { index, lane in
      let part = requests[bounds[index]..<bounds[index + 1]]
      if !part.isEmpty { results.pointer[index] = lane.sample(weights, part, options) }
    }
    return results.array(count).flatMap { $0 }
  }

  /// The log-probability of every token of the batch's completions, and the entropy in nats of the distribution it was drawn from.
  package func score(
    _ weights: Buffer<S>, _ batch: CompletionBatch, temperature: Double
  ) -> (logProbabilities: [S], entropies: [S]) {
    let parts = batch.lanes(Self.laneCount(rows: batch.rows))
    let (logProbabilities, entropies) = (Buffer<S>(batch.tokenCount), Buffer<S>(batch.tokenCount))
    forEachLane(parts.count) { index, lane in
      lane.score(
        weights.pointer, batch, groups: parts[index], temperature: temperature,
        logProbabilities: logProbabilities.pointer, entropies: entropies.pointer)
    }
    return (logProbabilities.array(batch.tokenCount), entropies.array(batch.tokenCount))
  }

  /// The gradient of a loss that is a sum over tokens of functions of their log-probability, and those log-probabilities.
  ///
  /// - Parameters:
  ///   - factors: the adapter's parameters.
  ///   - slope: ∂loss/∂logProbability of the token of that number, from its log-probability.
  package func gradient(
    _ weights: Buffer<S>, factors: [S], _ batch: CompletionBatch, temperature: Double,
    dropout: DropoutPlan<S>? = nil, slope: @escaping @Sendable (Int, S) -> S
  ) -> (sum: GradientSink<S>, logProbabilities: [S]) {
    let (plan, parts) = (plan, batch.lanes(Self.laneCount(rows: batch.rows)))
    let (logProbabilities, slopes) = (Buffer<S>(batch.tokenCount), Buffer<S>(batch.tokenCount))
    forEachLane(parts.count) { index, lane in
      lane.sink.clear()
      lane.score(
        weights.pointer, batch, groups: parts[index], temperature: temperature,
        logProbabilities: logProbabilities.pointer, entropies: nil, dropout: dropout.map { ($0, index) }
      ) { pass in
        for target in pass.targets {
          slopes.pointer[target.number] = slope(target.number, logProbabilities.pointer[target.number])
        }
        lane.addGradient(weights.pointer, of: pass, coefficients: slopes.pointer, plan: plan, factors: factors)
      }
    }
    let sum = lanes[0].sink
    for lane in lanes[1..<parts.count] { sum.add(lane.sink) }
    return (sum, logProbabilities.array(batch.tokenCount))
  }
}
