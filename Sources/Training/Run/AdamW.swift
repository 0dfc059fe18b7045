import Adapters
import LinearAlgebra
import RealModule

/// What AdamW does (Loshchilov and Hutter 2019). The one owner of the defaults, which are PyTorch's but for the weight decay.
package struct AdamWOptions: Equatable, Sendable {
  package var beta1: Double
  package var beta2: Double
  /// Nil for the convention's: 1e-8 for PyTorch's, 1e-6 for that of transformers.
  package var epsilon: Double?
  package var weightDecay: Double
  package var convention = OptimizerConvention.pyTorch

  package init(beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double? = nil, weightDecay: Double = 0) {
    self.beta1 = beta1
    self.beta2 = beta2
    self.epsilon = epsilon
    self.weightDecay = weightDecay
  }
}

/// Parameters that share a learning rate.
package struct ParameterGroup: Equatable, Sendable {
  package var range: Range<Int>
  /// Its learning rate, as a multiple of the step's; with 0 nothing moves.
  package var rateFactor = 1.0
  /// False where weight decay leaves it alone.
  package var decays = true

  package init(range: Range<Int>, rateFactor: Double = 1, decays: Bool = true) {
    self.range = range
    self.rateFactor = rateFactor
    self.decays = decays
  }
}

/// AdamW over one flat buffer of parameters, with PyTorch's order of operations.
package struct AdamW<S: TransformerScalar>: Sendable {
  /// What has to be kept to go on later.
  package struct State: Equatable, Sendable {
    /// The moments m and v of each parameter.
    package var first: [S]
    package var second: [S]
    /// How many steps were taken.
    package var stepCount: Int

    package init(first: [S], second: [S], stepCount: Int) {
      (self.first, self.second, self.stepCount) = (first, second, stepCount)
    }
  }

  package let options: AdamWOptions
  private let groups: [ParameterGroup]
  package var state: State

  /// - Parameter groups: each parameter belongs to one at most; those of none are never moved.
  package init(count: Int, options: AdamWOptions, groups: [ParameterGroup]) {
    self.options = options
    self.groups = Self.joined(groups.filter { $0.rateFactor != 0 && !$0.range.isEmpty })
    let zeros = [S](repeating: 0, count: count)
    state = State(first: zeros, second: zeros, stepCount: 0)
  }

  /// Neighbours that are treated alike as one group.
  private static func joined(_ groups: [ParameterGroup]) -> [ParameterGroup] {
    groups.reduce(into: []) { joined, group in
      guard let last = joined.last, last.range.upperBound == group.range.lowerBound,
        last.rateFactor == group.rateFactor, last.decays == group.decays
      else { return joined.append(group) }
      joined[joined.count - 1].range = last.range.lowerBound..<group.range.upperBound
    }
  }

  /// All parameters in one group.
  package init(count: Int, options: AdamWOptions) {
    self.init(count: count, options: options, groups: [ParameterGroup(range: 0..<count)])
  }

  /// One step against the gradient.
  package mutating func step(_ parameters: inout [S], gradient: [S], learningRate: Double) {
    let count = state.first.count
    precondition(parameters.count == count && gradient.count == count, "one gradient a parameter")
    state.stepCount += 1
    for group in groups {
      update(&parameters, gradient, group, learningRate * group.rateFactor)
    }
  }

  private mutating func update(
    _ parameters: inout [S], _ gradient: [S], _ group: ParameterGroup, _ rate: Double
  ) {
    let correction1 = 1 - Double.pow(options.beta1, Double(state.stepCount))
    let correction2 = (1 - Double.pow(options.beta2, Double(state.stepCount))).squareRoot()
    let shrinking = S(1 - rate * (group.decays ? options.weightDecay : 0))
    let (decaysFirst, epsilon): (Bool, Double) =
      switch options.convention {
      case .pyTorch: (true, options.epsilon ?? 1e-8)
      // (√v + ε)/correction is √v/correction + ε/correction.
      case .transformers: (false, (options.epsilon ?? 1e-6) / correction2)
      }
    let (i, count) = (group.range.lowerBound, group.range.count)
    parameters.withUnsafeMutableBufferPointer { parameters in
      gradient.withUnsafeBufferPointer { gradient in
        state.first.withUnsafeMutableBufferPointer { first in
          state.second.withUnsafeMutableBufferPointer { second in
            S.kernels.adamw(
              parameters.baseAddress! + i, gradient.baseAddress! + i, first.baseAddress! + i,
              second.baseAddress! + i, count, decaysFirst ? shrinking : 1, S(options.beta1), S(options.beta2),
              S(rate / correction1), S(correction2), S(epsilon))
          }
        }
      }
      if !decaysFirst, shrinking != 1 { for index in group.range { parameters[index] *= shrinking } }
    }
  }
}

/// Scales a gradient down to the given norm where it is longer, as PyTorch's `clip_grad_norm_`; returns its norm before.
package func clipNorm<S: TransformerScalar>(of gradient: inout [S], to limit: Double) -> Double {
  let norm = gradient.withUnsafeBufferPointer { S.sumOfSquares($0, scale: 1) }.squareRoot()
  let factor = limit / (norm + 1e-6)
  // A norm that is not finite leaves the gradient as it is; the caller decides.
  if factor < 1 { gradient = gradient.map { $0 * S(factor) } }
  return norm
}
