import Foundation
import LinearAlgebra

/// Ritz vectors, values and residuals of one space.
///
/// In coordinates of the first k Ritz vectors, the next a and everything else, W₊ᵀW₊ is [Θ₁, 0, E₁ᵀ; 0, Θ₂, E₂ᵀ; E₁, E₂, H] with the
/// residuals E. Its leading invariant subspace [A; B; C] has eigenvalues of at least θ_k² (Cauchy), so the second and third rows are
/// Sylvester equations with separated spectra (Davis and Kahan 1970):
///
///     ‖B‖ ≤ ‖E₂‖‖C‖/(θ_k² − θ_{k+1}²),   ‖C‖ ≤ (‖E₁‖ + ‖E₂‖‖B‖)/(θ_k² − λ),   sin θ ≤ ‖B‖ + ‖C‖
///
/// with λ ≥ ‖H‖. H holds the remaining Ritz values Θ₃, their residuals, and outside the space at most β²; so λ is a bound of
/// [Θ₃, N; Nᵀ, β²] with NNᵀ the Gram matrix of those residuals. The bound holds for the left vectors as well: they are
/// the images, and W₊ stretches B and C by at most θ_k. It holds for every a, and the smallest one counts.
struct RitzVectors {
  /// Squares of the Ritz values, descending.
  let squares: [Double]
  /// Ritz vectors as rows, in coordinates of the space.
  let coordinates: Matrix<Double>
  let space: Matrix<Double>
  /// The residuals of the first Ritz vectors, which are asked for, as rows.
  let residuals: Matrix<Double>
  /// The Gram matrix of all residuals.
  private let gram: Matrix<Double>
  /// β².
  let outside: Double
  /// The norm that rounding alone gives a residual.
  let rounding: Double

  /// - Parameters:
  ///   - projected: the operator within the space, whose rows are orthonormal.
  ///   - outer: what the operator makes of those rows beyond the space.
  ///   - count: how many vectors are asked for.
  init(
    of projected: Matrix<Double>, in space: Matrix<Double>, outer: Matrix<Double>, first count: Int, outside: Double,
    rounding: Double
  ) throws(LinearAlgebraError) {
    let form = TridiagonalForm(reducing: GramMatrix(symmetric: projected))
    squares = try form.eigenvalues()
    coordinates = try form.eigenvectors(0..<space.rows)
    (self.space, self.outside, self.rounding) = (space, outside, rounding)
    residuals = product(coordinates.view[0..<count, 0..<space.rows], outer.view)
    gram = product(product(coordinates, product(outer.view, outer.transposed)).view, coordinates.transposed)
  }

  /// The first `count` in coordinates of the space.
  func leading(_ count: Int) -> MatrixView<Double> { coordinates.view[0..<count, 0..<coordinates.columns] }

  /// The first `count` as rows.
  func vectors(_ count: Int) -> Matrix<Double> { product(leading(count), space.view) }

  /// The first `count` singular values.
  func values(_ count: Int) -> [Double] { squares.prefix(count).map { max(0, $0).squareRoot() } }

  /// A bound, in radians, of the angle between the span of the first k and the true one; π/2 where nothing separates them from the rest.
  ///
  /// - Parameter enough: a bound that is small enough, which ends the search for a smaller one.
  func error(of k: Int, enough: Double) throws -> Double {
    let rest = squares.count - k
    let leading = residuals.view[0..<k, 0..<residuals.columns]
    let first = try Self.norm(product(leading, leading.transposed)) + rounding
    var best = 1.0
    for a in [0, rest / 4, rest / 2, 3 * rest / 4] where best > sin(enough) {
      // Without its coupling the rest would be the next Ritz value.
      let most = squares[k - 1] - max(outside, k + a < squares.count ? squares[k + a] : 0) - 3 * rounding
      guard most > 0, first < most * best, let separation = separation(of: k, behind: k + a, most: most) else {
        continue
      }
      guard a > 0 else {
        best = min(best, first / separation)
        continue
      }
      let gap = squares[k - 1] - squares[k] - 2 * rounding
      let second = try Self.norm(Matrix(gram.view[k..<k + a, k..<k + a])) + rounding
      guard gap > 0, separation > second * second / gap else { continue }
      let c = first / (separation - second * second / gap)
      best = min(best, c * (1 + second / gap))
    }
    return best < 1 ? asin(best) : .pi / 2
  }

  /// ‖E‖₂ of residuals with this Gram matrix.
  private static func norm(_ gram: Matrix<Double>) throws -> Double {
    try GramMatrix(symmetric: gram).largestEigenvalue().squareRoot()
  }

  /// θ_k² − λ with λ an upper bound of W₊ᵀW₊ on the complement of the first Ritz vectors: about the largest that can be shown, at most
  /// `most`; nil where there is none.
  private func separation(of k: Int, behind first: Int, most: Double) -> Double? {
    func isShown(_ separation: Double) -> Bool { bounds(squares[k - 1] - 3 * rounding - separation, behind: first) }
    var shown = most
    for step in 1...24 {
      // Nearly all of it, then halves.
      shown = step == 1 ? 15 / 16 * most : shown / 2
      guard isShown(shown) else { continue }
      let refined = 1.4 * shown
      return step > 1 && isShown(refined) ? refined : shown
    }
    return nil
  }

  /// Whether λ bounds [Θ₃, N; Nᵀ, β²]: whether λ − β² and its Schur complement λ − Θ₃ − NNᵀ/(λ − β²) are positive.
  private func bounds(_ bound: Double, behind first: Int) -> Bool {
    guard bound > outside else { return false }
    let rest = squares.count - first
    guard rest > 0 else { return true }
    var complement = Matrix(gram.view[first..<squares.count, first..<squares.count]).scaled(by: -1 / (bound - outside))
    for i in 0..<rest { complement.elements[i * (rest + 1)] += bound - squares[first + i] }
    return GramMatrix(symmetric: complement).isPositiveDefinite()
  }

  /// Directions in which to extend the space: the residuals of the first `count` Ritz vectors that are not rounding; nil where none is.
  func `extension`(for count: Int) -> Matrix<Double>? {
    let kept = open(count)
    guard !kept.isEmpty else { return nil }
    return .stacked(kept.map { Matrix(residuals.view[$0..<$0 + 1, 0..<residuals.columns]) })
  }

  /// The same, each entry divided by θ² − d of its Ritz value and of what the operator's diagonal d is there.
  func `extension`(for count: Int, dividedByDistanceTo diagonal: [Double]) -> Matrix<Double>? {
    guard var block = `extension`(for: count) else { return nil }
    // Where the two are close, the entry has been in the space all along.
    let least = 1e-3 * squares[0]
    for (row, i) in open(count).enumerated() {
      let first = row * diagonal.count
      for (j, value) in diagonal.enumerated() { block.elements[first + j] /= max(squares[i] - value, least) }
    }
    return block
  }

  /// The Ritz vectors among the first `count` whose residual is more than rounding.
  private func open(_ count: Int) -> [Int] {
    let norms = (0..<count).map { residuals.rowNorm($0) }
    let largest = norms.max() ?? 0
    return norms.indices.filter { norms[$0] > max(4 * rounding, 1e-2 * largest) }
  }
}

extension GramMatrix {
  /// The largest eigenvalue, at least 0.
  consuming func largestEigenvalue() throws(LinearAlgebraError) -> Double {
    max(0, try TridiagonalForm(reducing: self).eigenvalues().first ?? 0)
  }
}

extension Matrix<Double> {
  /// Takes out of every row what lies in the span of the orthonormal rows of `space`.
  mutating func subtractProjection(on space: Matrix<Double>) {
    add(product: product(view, space.transposed).scaled(by: -1).view, space.view)
  }

  /// The rows made orthogonal to those of `space` and to each other.
  func orthonormalized(against space: Matrix<Double>) throws -> Matrix<Double> {
    var fresh = self
    for i in 0..<fresh.rows {
      let norm = fresh.rowNorm(i)
      if norm > 0 { fresh.scaleRow(i, by: 1 / norm) }
    }
    // Twice is enough (Kahan; Parlett 1998, section 6.9), also for rows that depend on each other and leave noise behind.
    for _ in 0..<2 {
      fresh.subtractProjection(on: space)
      fresh = try householderQR(of: fresh.transposedCopy()).q.transposedCopy()
    }
    return fresh
  }
}
