import LinearAlgebra
import RealModule

/// What AdamW does (Loshchilov and Hutter 2019). The one owner of the defaults, which are PyTorch's but for the weight decay.
package struct AdamWOptions: Equatable, Sendable {
  package var beta1: Double
  package var beta2: Double
  package var epsilon: Double
  package var weightDecay: Double

  package init(beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8, weightDecay: Double = 0) {
    self.beta1 = beta1
    self.beta2 = beta2
    self.epsilon = epsilon
    self.weightDecay = weightDecay
  }
}

/// AdamW over one flat buffer of parameters, with PyTorch's order of operations.
package struct AdamW<S: TransformerScalar>: Sendable {
  package let options: AdamWOptions
  /// Ranges of the parameters that decay; the others do not.
  private let decaying: [Range<Int>]
  /// The moments m and v of each parameter.
  private var first: [S]
  private var second: [S]
  /// How many steps were taken.
  package private(set) var stepCount = 0

  /// - Parameter decaying: the ranges that weight decay is for; all where nil.
  package init(count: Int, options: AdamWOptions, decaying: [Range<Int>]? = nil) {
    self.options = options
    self.decaying = decaying ?? [0..<count]
    first = Array(repeating: 0, count: count)
    second = first
  }

  /// One step against the gradient.
  package mutating func step(_ parameters: inout [S], gradient: [S], learningRate: Double) {
    precondition(parameters.count == first.count && gradient.count == first.count, "one gradient a parameter")
    stepCount += 1
    var position = 0
    for range in decaying {
      update(&parameters, gradient, position..<range.lowerBound, learningRate, decay: 0)
      update(&parameters, gradient, range, learningRate, decay: options.weightDecay)
      position = range.upperBound
    }
    update(&parameters, gradient, position..<parameters.count, learningRate, decay: 0)
  }

  private mutating func update(
    _ parameters: inout [S], _ gradient: [S], _ range: Range<Int>, _ learningRate: Double, decay: Double
  ) {
    guard !range.isEmpty else { return }
    let correction1 = 1 - Double.pow(options.beta1, Double(stepCount))
    let correction2 = 1 - Double.pow(options.beta2, Double(stepCount))
    parameters.withUnsafeMutableBufferPointer { parameters in
      gradient.withUnsafeBufferPointer { gradient in
        first.withUnsafeMutableBufferPointer { first in
          second.withUnsafeMutableBufferPointer { second in
            let i = range.lowerBound
            S.kernels.adamw(
              parameters.baseAddress! + i, gradient.baseAddress! + i, first.baseAddress! + i,
              second.baseAddress! + i, range.count, S(1 - learningRate * decay), S(options.beta1), S(options.beta2),
              S(learningRate / correction1), S(correction2.squareRoot()), S(options.epsilon))
          }
        }
      }
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
