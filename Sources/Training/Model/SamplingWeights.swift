import Adapters
import LinearAlgebra

/// What sampling reads: weights, in two layouts where that is faster, and adapters that are not merged into them.
struct SamplingWeights<S: TransformerScalar>: Sendable {
  let flat: Buffer<S>
  let packed: PackedWeights<S>?
  let branches: AdapterBranches<S>?
}

/// Adapters beside the weights: y = W_frozen·x + s·B·(A·x).
struct AdapterBranches<S: TransformerScalar>: Sendable {
  /// The factors of each linear layer in the layout's order; nil where it is not adapted.
  let spans: [FactorSpan?]
  /// All parameters of the adapters.
  let factors: Buffer<S>
}

/// A decoder's matrices laid out for products with few rows.
final class PackedWeights<S: TransformerScalar>: @unchecked Sendable {
  private let matrices: [DecoderLayout.Product]
  /// Where each begins here, by its offset in the layout.
  private var places: [Int: Int] = [:]
  private let panels: Buffer<S>

  /// - Returns: nil on a processor without kernels for it.
  init?(_ layout: DecoderLayout, fused: Bool) {
    let panelRows = S.kernels.panelRows()
    guard panelRows > 0 else { return nil }
    matrices = layout.products(fused: fused)
    var count = 0
    for matrix in matrices {
      places[matrix.offset] = count
      count += (matrix.rows + panelRows - 1) / panelRows * panelRows * matrix.columns
    }
    panels = Buffer(count)
  }

  /// Lays out all matrices of these parameters.
  func update(from weights: UnsafePointer<S>) {
    for matrix in matrices {
      S.kernels.packPanels(
        weights + matrix.offset, matrix.rows, matrix.columns, panels.pointer + places[matrix.offset]!)
    }
  }

  /// The panels of the matrix that lies at `offset` in the layout.
  subscript(offset: Int) -> UnsafePointer<S> { UnsafePointer(panels.pointer + places[offset]!) }
}
