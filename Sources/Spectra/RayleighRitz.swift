import Foundation
import LinearAlgebra

/// Rayleigh–Ritz for the leading right singular vectors of W₊ on a growing space, whose residuals bound the error.
///
/// The space begins with W₀'s own leading vectors, of which W₊ᵀW₊ is known but for the update. It grows by the residuals of the Ritz
/// vectors that are asked for, as in a block Krylov method (Golub and Underwood 1977; Davidson 1975): at first these are combinations of
/// the update's row space and of W₀ᵀL. `RitzVectors` says what bounds the error.
package struct RayleighRitz {
  private let operand: UpdatedWeight
  private let wanted: [Int]
  /// The space: s × columns, orthonormal rows; its images W₊·q; and W₊ᵀ of those.
  private var space: Matrix<Double>
  private var images: Matrix<Double>
  private var products: Matrix<Double>
  /// σ_{c+1} of W₀: a bound of ‖W₀x‖ for unit vectors x orthogonal to the leading vectors in the space.
  private let next: Double
  private let scale: Double
  /// The norm of the error in W₀ᵀW₀ that W₀'s vectors in the space have: W₀v = σu and W₀ᵀu = σv hold only to within it.
  private let basisError: Double

  /// How often the space may grow before a dense decomposition is the better way.
  static let mostExtensions = 16

  /// - Parameter start: how many of W₀'s leading vectors to begin with; more of them cost no product with W₀ and let the rest converge
  ///   faster. Not what the basis happens to keep, on which the result would then depend.
  /// - Parameter wanted: the k whose subspaces are asked for; at most `start`.
  /// - Parameter pulled: W₀ᵀ·uᵢ of the update's left vectors as rows, for an update of low rank.
  package init(_ operand: UpdatedWeight, basis: SpectralBasis, start c: Int, wanted: [Int], pulled: Matrix<Double>?) {
    self.operand = operand
    self.wanted = wanted
    let update = operand.update
    let v = Matrix(basis.first(c, .right)!)
    next = c < basis.order ? basis.values[c] : 0
    let largest = basis.values.first ?? 0
    scale = largest + update.spectralNorm
    basisError = basis.error.squared + 2 * largest * basis.error.direct
    // W₀v = σu and W₀ᵀu = σv are known; only the update has to be applied.
    var (scaledU, scaledV) = (Matrix(basis.first(c, .left)!), v)
    for i in 0..<c {
      scaledU.scaleRow(i, by: basis.values[i])
      scaledV.scaleRow(i, by: basis.values[i] * basis.values[i])
    }
    let moved = update.images(of: v)
    space = v
    images = scaledU + moved
    products = scaledV + update.adjointImages(of: images)
    if let pulled {
      // ΔW·v lies in the span of the update's left vectors, whose products with W₀ᵀ are known.
      products.add(product: product(moved.view, update.left.transposed).view, pulled.view)
    } else {
      products.add(operand.base.adjointImages(of: moved))
    }
  }

  /// Grows the space until the error bounds are below what is asked for.
  ///
  /// - Parameter tolerance: the error, in radians, that is small enough for a k.
  /// - Returns: nil where the space would outgrow half of the matrix first.
  package mutating func solve(tolerance: (Int, UpdatedSubspace) throws -> Double) throws -> UpdatedSubspace? {
    for _ in 0...Self.mostExtensions {
      let ritz = try ritz()
      let found = try ritz.subspace(wanted)
      let open = try wanted.filter { k in try found.errors[k]! > tolerance(k, found) }
      if open.isEmpty { return found }
      guard let block = ritz.extension(for: open.max()!),
        2 * (space.rows + block.rows) <= operand.smallerDimension
      else { return nil }
      try extend(by: block)
    }
    return nil
  }

  /// Adds rows to the space, orthogonal to it and to each other.
  private mutating func extend(by rows: Matrix<Double>) throws {
    var fresh = rows
    for i in 0..<fresh.rows {
      let norm = fresh.rowNorm(i)
      if norm > 0 { fresh.scaleRow(i, by: 1 / norm) }
    }
    // Twice is enough (Kahan; Parlett 1998, section 6.9), also for rows that depend on each other and leave noise behind.
    for _ in 0..<2 {
      fresh.subtractProjection(on: space)
      fresh = try householderQR(of: fresh.transposedCopy()).q.transposedCopy()
    }
    let moved = operand.images(of: fresh)
    space = .stacked([space, fresh])
    images = .stacked([images, moved])
    products = .stacked([products, operand.adjointImages(of: moved)])
  }

  private func ritz() throws -> RitzVectors {
    let form = TridiagonalForm(reducing: GramMatrix(symmetric: product(images.view, images.transposed)))
    let squares = try form.eigenvalues()
    let vectors = try form.eigenvectors(0..<space.rows)
    // The part of the products that the space does not hold.
    var outer = products
    for _ in 0..<2 { outer.subtractProjection(on: space) }
    let outside = next + (try restOfUpdate())
    return RitzVectors(
      squares: squares, coordinates: vectors, space: space, images: images, residuals: product(vectors, outer),
      outside: outside * outside,
      rounding: 8 * Double.unitRoundoff * scale * scale * Double(space.rows).squareRoot() + basisError)
  }

  /// A bound of ‖ΔW·x‖ for unit vectors x orthogonal to the space.
  private func restOfUpdate() throws -> Double {
    let update = operand.update
    guard case .factored = update.form else { return update.spectralNorm }
    var rest = update.right
    rest.subtractProjection(on: space)
    for (i, value) in update.values.enumerated() { rest.scaleRow(i, by: value) }
    return try GramMatrix(symmetric: product(rest.view, rest.transposed)).largestEigenvalue().squareRoot()
  }
}

/// Ritz vectors, values and residuals of one space.
///
/// In coordinates of the first k Ritz vectors, the next a and everything else, W₊ᵀW₊ is [Θ₁, 0, E₁ᵀ; 0, Θ₂, E₂ᵀ; E₁, E₂, H] with the
/// residuals E. Its leading invariant subspace [A; B; C] has eigenvalues of at least θ_k² (Cauchy), so the second and third rows are
/// Sylvester equations with separated spectra (Davis and Kahan 1970):
///
///     ‖B‖ ≤ ‖E₂‖‖C‖/(θ_k² − θ_{k+1}²),   ‖C‖ ≤ (‖E₁‖ + ‖E₂‖‖B‖)/(θ_k² − λ),   sin θ ≤ ‖B‖ + ‖C‖
///
/// with λ ≥ ‖H‖. H holds the remaining Ritz values Θ₃, their residuals, and outside the space at most β²; so λ is the largest
/// eigenvalue of [Θ₃, N; Nᵀ, β²] with NNᵀ the Gram matrix of those residuals. The bound holds for the left vectors as well: they are
/// the images, and W₊ stretches B and C by at most θ_k. It holds for every a, and the smallest one counts.
private struct RitzVectors {
  /// Squares of the Ritz values, descending.
  let squares: [Double]
  /// Ritz vectors as rows, in coordinates of the space.
  let coordinates: Matrix<Double>
  let space: Matrix<Double>
  let images: Matrix<Double>
  /// One row a Ritz vector.
  let residuals: Matrix<Double>
  /// β².
  let outside: Double
  /// The norm that rounding alone gives a residual.
  let rounding: Double

  func subspace(_ wanted: [Int]) throws -> UpdatedSubspace {
    let count = wanted.max()!
    let leading = coordinates.view[0..<count, 0..<coordinates.columns]
    let values = squares.prefix(count).map { max(0, $0).squareRoot() }
    var left = product(leading, images.view)
    for i in 0..<count { left.scaleRow(i, by: values[i] > 0 ? 1 / values[i] : 0) }
    let gram = product(residuals.view, residuals.transposed)
    let errors = try wanted.map { k in (k, try error(of: k, gram)) }
    return UpdatedSubspace(
      values: values, left: left, right: product(leading, space.view), errors: Dictionary(errors) { first, _ in first })
  }

  /// The bound of sin θ for the first k, as an angle; π/2 where nothing separates them from the rest.
  private func error(of k: Int, _ gram: Matrix<Double>) throws -> Double {
    let rest = squares.count - k
    let first = try norm(gram, 0..<k)
    var best = 1.0
    for a in Set([0, rest / 4, rest / 2, 3 * rest / 4]) {
      let separation = squares[k - 1] - (try boundBehind(k + a, gram)) - 2 * rounding
      guard separation > 0 else { continue }
      guard a > 0 else {
        best = min(best, first / separation)
        continue
      }
      let gap = squares[k - 1] - squares[k] - 2 * rounding
      let second = try norm(gram, k..<k + a)
      guard gap > 0, separation > second * second / gap else { continue }
      let c = first / (separation - second * second / gap)
      best = min(best, c * (1 + second / gap))
    }
    return best < 1 ? asin(best) : .pi / 2
  }

  /// ‖E‖₂ of some Ritz vectors' residuals.
  private func norm(_ gram: Matrix<Double>, _ range: Range<Int>) throws -> Double {
    try GramMatrix(symmetric: Matrix(gram.view[range, range])).largestEigenvalue().squareRoot() + rounding
  }

  /// λ: an upper bound of W₊ᵀW₊ on the complement of the first Ritz vectors.
  private func boundBehind(_ first: Int, _ gram: Matrix<Double>) throws -> Double {
    let rest = squares.count - first
    guard rest > 0 else { return outside }
    let form = TridiagonalForm(
      reducing: GramMatrix(symmetric: Matrix(gram.view[first..<squares.count, first..<squares.count])))
    let energies = try form.eigenvalues()
    // Residuals span as many directions as the last extension had; the others are rounding, which is added.
    let count = energies.count { $0 > rounding * rounding }
    let directions = try form.eigenvectors(0..<count)
    var coupled = Matrix<Double>(rows: rest + count, columns: rest + count)
    for i in 0..<rest { coupled[i, i] = squares[first + i] }
    for j in 0..<count {
      coupled[rest + j, rest + j] = outside
      for i in 0..<rest {
        coupled[i, rest + j] = directions[j, i] * energies[j].squareRoot()
        coupled[rest + j, i] = coupled[i, rest + j]
      }
    }
    return max(outside, try GramMatrix(symmetric: coupled).largestEigenvalue()) + rounding
  }

  /// Directions in which to extend the space: the residuals of the first `count` Ritz vectors that are not rounding; nil where none is.
  func `extension`(for count: Int) -> Matrix<Double>? {
    let norms = (0..<count).map { residuals.rowNorm($0) }
    let largest = norms.max() ?? 0
    let kept = norms.indices.filter { norms[$0] > max(4 * rounding, 1e-2 * largest) }
    guard !kept.isEmpty else { return nil }
    return .stacked(kept.map { Matrix(residuals.view[$0..<$0 + 1, 0..<residuals.columns]) })
  }
}

extension GramMatrix {
  /// The largest eigenvalue, at least 0.
  fileprivate consuming func largestEigenvalue() throws(LinearAlgebraError) -> Double {
    max(0, try TridiagonalForm(reducing: self).eigenvalues().first ?? 0)
  }
}

extension Matrix<Double> {
  /// Takes out of every row what lies in the span of the orthonormal rows of `space`.
  fileprivate mutating func subtractProjection(on space: Matrix<Double>) {
    add(product: product(view, space.transposed).scaled(by: -1).view, space.view)
  }
}
