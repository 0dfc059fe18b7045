import Adapters
import LinearAlgebra

/// A decoder with adapters: what is trained, sampled from, and compared with its base. The base's parameters are never changed.
package final class AdaptedModel<S: TransformerScalar> {
  package let layout: DecoderLayout
  /// All parameters of the base, in the order of the layout.
  package let base: [S]
  /// The adapters; call `refresh` after changing their parameters.
  package var adapters: AdapterSet<S>

  private let decoder: ParallelDecoder<S>
  /// The base's parameters, and a copy with the adapted weights in their places.
  private let pretrained: Buffer<S>, effective: Buffer<S>
  /// W_eff − W_frozen of every adapted layer, at its place; where there is dropout.
  private let branches: Buffer<S>?
  /// The base with the frozen weights of adapted layers, where adapters are not merged to sample.
  private let frozen: Buffer<S>?

  package init(
    layout: DecoderLayout, base: [S], adapters: AdapterSet<S>, threads: Int, savings: DecoderSavings = DecoderSavings()
  ) {
    precondition(base.count == layout.count, "the parameters do not fit the layout")
    self.layout = layout
    self.base = base
    self.adapters = adapters
    decoder = ParallelDecoder(
      layout, plan: adapters.plan(layout), factorCount: adapters.parameters.count, threads: threads, savings: savings)
    (pretrained, effective) = (Buffer(base), Buffer(base))
    branches = adapters.options.options.dropout > 0 ? Buffer(base.count) : nil
    frozen = savings.mergesWeights || !adapters.areFactored ? nil : Buffer(base)
    if let frozen { adapters.writeFrozenWeights(into: frozen.pointer) }
    refresh()
  }

  /// Brings the effective weights up to date with the adapters' parameters.
  package func refresh() {
    adapters.writeEffectiveWeights(into: effective.pointer)
    if let branches { adapters.writeBranches(of: effective.pointer, into: branches.pointer) }
  }

  /// The effective weight of an adapted module, in Float64.
  package func effectiveWeight(of module: AdapterSet<S>.Module) -> Matrix<Double> {
    let elements = UnsafeBufferPointer(start: effective.pointer + module.entry.offset, count: module.entry.count)
    return Matrix(
      Matrix<S>(rows: module.weight.rows, columns: module.weight.columns, elements: Array(elements)))
  }

  /// Draws completions of every request from the effective weights.
  package func sample(_ requests: [SamplingRequest], _ options: SamplingOptions) -> [[Completion<S>]] {
    guard let frozen else { return decoder.sample(effective, requests, options) }
    let beside = AdapterBranches(spans: adapters.plan(layout).linear.map(\.span), factors: Buffer(adapters.parameters))
    return decoder.sample(frozen, branches: beside, requests, options)
  }

  /// Which weights a computation uses.
  package enum Weights: Sendable {
    /// The adapted ones.
    case effective
    /// Those of the pretrained model, W₀, which is what a KL divergence refers to – not the residual base of a method that
    /// takes its start out of W₀.
    case base
  }

  /// The log-probability of every token of the batch's completions, and the entropy in nats of the distribution it was drawn from.
  package func score(
    _ batch: CompletionBatch, with weights: Weights, temperature: Double = 1
  ) -> (logProbabilities: [S], entropies: [S]) {
    decoder.score(weights == .base ? pretrained : effective, batch, temperature: temperature)
  }

  /// The gradient with respect to the adapters' parameters, in their flat order, of a loss that is a sum over tokens of functions of
  /// their log-probability; and those log-probabilities.
  ///
  /// - Parameters:
  ///   - dropoutPlace: what the masks of the adapters' dropout depend on, such as seed, step and update; nil for none.
  ///   - slope: ∂loss/∂logProbability of the token of that number, from its log-probability.
  package func gradient(
    _ batch: CompletionBatch, temperature: Double = 1, dropoutPlace: [Int]? = nil,
    slope: @escaping @Sendable (Int, S) -> S
  ) -> (gradient: [S], logProbabilities: [S]) {
    let (sum, logProbabilities) = decoder.gradient(
      effective, factors: adapters.parameters, batch, temperature: temperature,
      dropout: dropoutPlace.flatMap(dropout), slope: slope)
    var gradient = sum.factors.array(sum.factorCount)
    if sum.denseCount > 0 { adapters.pullBack(sum.dense.pointer, into: &gradient) }
    return (gradient, logProbabilities)
  }

  private func dropout(at place: [Int]) -> DropoutPlan<S>? {
    branches.map {
      DropoutPlan(
        rate: adapters.options.options.dropout, branch: $0, isAdapted: adapters.isAdapted(layout), place: place)
    }
  }
}
