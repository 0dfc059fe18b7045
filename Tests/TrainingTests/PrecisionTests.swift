import Adapters
import Foundation
import LinearAlgebra
import Testing
import Training

/// What training keeps in Float32 beside the same in Float64, within bounds from the arithmetic.
@Suite struct PrecisionTests {
  /// A step of AdamW rounds m, v and p a few times each; m and v are running means, so that their errors do not grow, and p adds one up
  /// each step.
  @Test func theStateOfAdamWIsThatOfFloat64() {
    let (count, steps, rate) = (257, 200, 1e-2)
    var generator = SeededGenerator(seed: 5)
    let start = (0..<count).map { _ in Float(generator.normal()) }
    var (single, double) = (start, start.map(Double.init))
    let options = AdamWOptions(weightDecay: 0.01)
    var (ours, exact) = (AdamW<Float>(count: count, options: options), AdamW<Double>(count: count, options: options))
    for step in 0..<steps {
      // Eight orders of magnitude, and the same numbers on both sides.
      let gradient = (0..<count).map { Float(generator.normal() * pow(10, -8 * Double($0 + step) / 456)) }
      ours.step(&single, gradient: gradient, learningRate: rate)
      exact.step(&double, gradient: gradient.map(Double.init), learningRate: rate)
    }
    #expect(ours.state.stepCount == exact.state.stepCount)
    let unit = 0x1p-24
    for i in 0..<count {
      let (m, v) = (exact.state.first[i], exact.state.second[i])
      // m' = m + (1 − β₁)(g − m): errors of 3 units of the larger term, summed over the mean's memory of 1/(1 − β₁) steps.
      let largest = max(abs(m), v.squareRoot() * 32)
      #expect(abs(Double(ours.state.first[i]) - m) < 3 * unit * largest * 10)
      // v' = β₂·v + (1 − β₂)·g²: β₂ is itself rounded, which after n steps is n·unit, and so is every step.
      #expect(abs(Double(ours.state.second[i]) - v) < 4 * unit * Double(steps) * v)
      // Each of the steps is rate·(a ratio near 1), known to v's relative error, and is rounded into p.
      let way = Double(steps) * (rate * 4 * unit * Double(steps) + unit * max(1, abs(double[i])))
      #expect(abs(Double(single[i]) - double[i]) < 4 * way)
    }
  }

  /// The KL divergence is a mean of k3 of differences of log-probabilities, each of which a forward pass knows to some units of the logits'
  /// size; k3 is quadratic in a difference d, so that an error e in d is one of |d|·e + e²/2 in k3.
  @Test func theSumOfKLIsThatOfFloat64() throws {
    let model = try Oracle.model("qwen2")
    let batch = try Oracle.batch("qwen2")
    func scores<S: TransformerScalar>(as: S.Type) throws -> (now: [Double], reference: [Double]) {
      let base = model.parameters.map { S($0) }
      var adapters = try AdapterSet<S>(
        method: .lora, options: AdapterOptions(), targets: nil, layout: model.layout, base: base, seed: 0)
      var generator = SeededGenerator(seed: 7)
      // Numbers that Float32 holds, so that both sides have the same adapter.
      for i in adapters.parameters.indices { adapters.parameters[i] = S(Float(0.05 * generator.normal())) }
      let adapted = AdaptedModel(layout: model.layout, base: base, adapters: adapters, threads: 1)
      func logProbabilities(_ weights: AdaptedModel<S>.Weights) -> [Double] {
        S.doubles(adapted.score(batch, with: weights).logProbabilities)
      }
      return (logProbabilities(.effective), logProbabilities(.base))
    }
    let (single, double) = (try scores(as: Float.self), try scores(as: Double.self))
    func mean(_ scores: (now: [Double], reference: [Double])) -> Double {
      zip(scores.now, scores.reference).reduce(0) { $0 + TokenLoss.k3(now: $1.0, reference: $1.1) }
        / Double(scores.now.count)
    }
    let errors = zip(single.now + single.reference, double.now + double.reference).map { abs($0 - $1) }
    let error = try #require(errors.max())
    // Logits of size 20 at most, through two layers of sums of 32 to 48 terms.
    #expect(error < 20 * 0x1p-24 * 48)
    let slope = zip(double.now, double.reference).map { abs($0 - $1) }.max()!
    #expect(mean(double) > 1e-3)
    #expect(abs(mean(single) - mean(double)) < 2 * error * slope * (1 + slope) + 2 * error * error)
  }
}
