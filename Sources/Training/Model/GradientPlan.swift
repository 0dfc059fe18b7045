import Adapters
import LinearAlgebra

/// Which gradients a backward pass leaves, and in which form.
package struct GradientPlan: Sendable {
  /// What is wanted of one linear layer's weight W, whose gradient is G = ∂L/∂W.
  package enum Linear: Equatable, Sendable {
    case none
    /// G itself, in the flat buffer of all parameters.
    case dense
    /// The gradients of two factors with W = … + s·B·A, which need not G but B, A and the activations.
    case factored(FactorSpan)

    /// The factors, where there are any.
    var span: FactorSpan? {
      guard case .factored(let span) = self else { return nil }
      return span
    }
  }

  /// Of each linear layer, in the layout's order: seven a decoder layer.
  package var linear: [Linear]
  /// True where norms and biases are wanted, too.
  package var wantsVectors: Bool
  /// True where embeddings and the output head are wanted, too.
  package var wantsEmbeddings: Bool

  package init(linear: [Linear], wantsVectors: Bool = false, wantsEmbeddings: Bool = false) {
    self.linear = linear
    self.wantsVectors = wantsVectors
    self.wantsEmbeddings = wantsEmbeddings
  }

  /// Everything, dense: for training from scratch.
  package static func everything(_ layout: DecoderLayout) -> GradientPlan {
    GradientPlan(
      linear: Array(repeating: .dense, count: layout.linearEntries.count), wantsVectors: true, wantsEmbeddings: true)
  }

  /// The first decoder layer of which anything is wanted; none where nothing is.
  var firstLayer: Int? {
    wantsVectors || wantsEmbeddings ? 0 : linear.firstIndex { $0 != .none }.map { $0 / 7 }
  }

  /// True where any gradient is wanted in the flat buffer of all parameters.
  var wantsDense: Bool { wantsVectors || wantsEmbeddings || linear.contains(.dense) }
}

/// Where a backward pass adds its gradients. Each worker has one of its own, and their sum is taken in order.
package final class GradientSink<S: TransformerScalar>: @unchecked Sendable {
  /// Of all the model's parameters, in its layout; empty where no dense gradient is wanted.
  package let dense: Buffer<S>
  let denseCount: Int
  /// Of the adapter's parameters, in its flat order.
  package let factors: Buffer<S>
  let factorCount: Int

  package init(denseCount: Int, factorCount: Int) {
    self.denseCount = denseCount
    self.factorCount = factorCount
    dense = Buffer(denseCount)
    factors = Buffer(factorCount)
  }

  func clear() {
    dense.zero(denseCount)
    factors.zero(factorCount)
  }

  /// Adds what another one has summed.
  func add(_ other: GradientSink) {
    S.kernels.accumulate(other.dense.pointer, denseCount, dense.pointer)
    S.kernels.accumulate(other.factors.pointer, factorCount, factors.pointer)
  }
}
