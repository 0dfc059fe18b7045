import Foundation
import LinearAlgebra

/// The leading singular subspaces of W₊ = W₀ + ΔW, with a bound of their error that is computed and not estimated.
package struct UpdatedSubspace: Sendable {
  /// The leading singular values of W₊, descending: as many as there are vectors.
  package let values: [Double]
  /// K × rows: left singular vectors as rows.
  package let left: Matrix<Double>
  /// K × columns.
  package let right: Matrix<Double>
  /// A bound, in radians, of the angle between the span of the first k vectors and the true one, for each side and each k asked for.
  package internal(set) var errors: [Int: Double]

  package init(values: [Double], left: Matrix<Double>, right: Matrix<Double>, errors: [Int: Double]) {
    self.values = values
    self.left = left
    self.right = right
    self.errors = errors
  }

  /// The first k vectors of a side, as rows.
  package func first(_ k: Int, _ side: Side) -> MatrixView<Double> {
    let vectors = side == .left ? left : right
    return vectors.view[0..<k, 0..<vectors.columns]
  }
}

/// W₀ + ΔW, for products and for reading.
package struct UpdatedWeight: MatrixSource {
  package let base: CompactMatrix
  package let update: DirectedUpdate

  package init(base: CompactMatrix, update: DirectedUpdate) {
    self.base = base
    self.update = update
  }

  package var rows: Int { base.rows }
  package var columns: Int { base.columns }

  package func rectangle(rows rowRange: Range<Int>, columns columnRange: Range<Int>) -> Matrix<Double> {
    var sum = base.rectangle(rows: rowRange, columns: columnRange)
    sum.add(update.rectangle(rows: rowRange, columns: columnRange))
    return sum
  }

  func images(of x: Matrix<Double>) -> Matrix<Double> {
    var sum = base.images(of: x)
    sum.add(update.images(of: x))
    return sum
  }

  func adjointImages(of y: Matrix<Double>) -> Matrix<Double> {
    var sum = base.adjointImages(of: y)
    sum.add(update.adjointImages(of: y))
    return sum
  }
}

/// Products of W₀ with the singular vectors of an update, where they are known.
package struct PulledVectors: Sendable {
  private var products: [Side: Matrix<Double>] = [:]
  /// Those in the space of the side that the basis keeps whole, in coordinates of its vectors.
  package private(set) var coordinates: Matrix<Double>?

  /// None.
  package init() {}

  /// Those in the space of a side: W₀ᵀ·uᵢ among the right vectors, W₀·vᵢ among the left ones, as rows; of a dense update those of its
  /// columns, or rows, themselves. nil where they are not known.
  package subscript(side: Side) -> Matrix<Double>? { products[side] }

  /// Computes those in the space of a side where they are not known. Cost: a product with W₀.
  package mutating func add(
    _ update: DirectedUpdate, to side: Side, by base: CompactMatrix, in basis: SpectralBasis
  ) {
    guard products[side] == nil else { return }
    let found =
      switch (side, update.form) {
      case (.right, .factored): base.adjointImages(of: update.left)
      case (.left, .factored): base.images(of: update.right)
      case (.right, .dense(let change)): base.adjointImages(of: change.transposedCopy())
      case (.left, .dense(let change)): base.images(of: change)
      }
    products[side] = found
    if let whole = basis.whole, whole.side == side { coordinates = product(found.view, whole.vectors.transposed) }
  }
}

// MARK: - Dense

extension UpdatedSubspace {
  /// From a whole decomposition of W₊.
  package init(of decomposition: SpectralBasis, first wanted: [Int]) {
    let count = wanted.max() ?? 0
    let sides = Side.allCases
    self.init(
      values: Array(decomposition.values.prefix(count)), left: Matrix(decomposition.first(count, .left)!),
      right: Matrix(decomposition.first(count, .right)!),
      errors: Dictionary(
        uniqueKeysWithValues: Set(wanted).map { k in
          (k, sides.map { decomposition.errorOfFirst(k, $0) }.max()!)
        }))
  }
}
