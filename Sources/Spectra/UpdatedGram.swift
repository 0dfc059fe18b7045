import Foundation
import LinearAlgebra

/// The Gram matrix of W₊ = W₀ + ΔW on the shorter side, in the coordinates of all of W₀'s singular vectors there: a diagonal matrix and
/// a few rank-one terms.
///
/// With W₀ = UΣVᵀ of a tall or square W₀ and ΔW = Σ τᵢ·lᵢ·rᵢᵀ, let pᵢ = VᵀW₀ᵀlᵢ and qᵢ = Vᵀrᵢ; then
///
///     VᵀW₊ᵀW₊V = Σ² + XᵀY + YᵀX,   xᵢ = τᵢ·pᵢ + ½·Σⱼ τᵢτⱼ(lᵢᵀlⱼ)·qⱼ,   yᵢ = qᵢ
///
/// with xᵢ and yᵢ as rows of X and Y. The lᵢ need not be orthonormal, which those of ill-conditioned factors are not to the last digits.
/// One product of W₀ with the update's vectors makes it, and none is needed to work with it. Of a wide W₀ it is that of the transpose.
package struct UpdatedGram {
  /// Σ².
  let diagonal: [Double]
  /// pᵢ, one row a term.
  private let pulled: Matrix<Double>
  private let x: Matrix<Double>
  /// τᵢ·qᵢ: what the update makes of V's vectors.
  private let reach: Matrix<Double>
  private let y: Matrix<Double>

  /// False for a square W₀ that is read transposed: there the side is the left one, and decompositions begin with the right one.
  let isOnShorterSide: Bool
  /// The vectors that the coordinates belong to.
  let side: SpectralBasis.WholeSide

  /// - Parameter known: products of W₀ with the update's vectors; what is needed and missing is computed.
  /// - Returns: nil where the basis keeps no side whole, or the update is not of low rank.
  package init?(of operand: UpdatedWeight, basis: SpectralBasis, pulled known: PulledVectors) {
    let update = operand.update
    guard let side = basis.whole, case .factored = update.form else { return nil }
    self.side = side
    isOnShorterSide = side.side == (basis.rows >= basis.columns ? .right : .left)
    diagonal = basis.values.map { $0 * $0 }
    y = product((side.side == .right ? update.right : update.left).view, side.vectors.transposed)
    var known = known
    known.add(update, to: side.side, by: operand.base, in: basis)
    pulled = known.coordinates!
    let long = side.side == .right ? update.left : update.right
    var overlaps = product(long.view, long.transposed)
    var (scaled, moved) = (pulled, y)
    for (i, value) in update.values.enumerated() {
      scaled.scaleRow(i, by: value)
      moved.scaleRow(i, by: value)
      overlaps.scaleRow(i, by: value / 2)
    }
    reach = moved
    x = scaled + product(overlaps, moved)
  }

  var order: Int { diagonal.count }

  /// The images of the rows of z, as rows. Cost 8·terms·order·z.rows flop.
  func images(of z: Matrix<Double>) -> Matrix<Double> {
    var result = z
    result.scaleColumns(by: diagonal)
    result.add(product: product(z.view, x.transposed).view, y.view)
    result.add(product: product(z.view, y.transposed).view, x.view)
    return result
  }

  /// The whole matrix. Cost 4·terms·order² flop.
  func dense() -> GramMatrix {
    var sum = product(x.transposed, y.view)
    sum.add(product: y.transposed, x.view)
    for i in 0..<order { sum[i, i] += diagonal[i] }
    return GramMatrix(symmetric: sum)
  }

  /// How far the rows of z, the first singular vectors of W₊ in V's coordinates, have turned away from as many of W₀: the sines of
  /// the largest angles, on the shorter side and, as far as it lies in the range of W₀, on the other one.
  func sines(of z: Matrix<Double>, values: [Double], basis: SpectralBasis) throws(LinearAlgebraError) -> (
    short: Double, long: Double
  ) {
    // uⱼᵀW₊z = σⱼzⱼ + uⱼᵀΔWz, and uⱼᵀlᵢ = pᵢⱼ/σⱼ.
    var images = product(product(z.view, reach.transposed).view, pulled.view)
    let least = 1e-6 * (basis.values.first ?? 0)
    images.scaleColumns(by: basis.values.map { $0 > least ? 1 / $0 : 0 })
    var straight = z
    straight.scaleColumns(by: basis.values)
    images.add(straight)
    for (i, value) in values.enumerated() { images.scaleRow(i, by: value > 0 ? 1 / value : 0) }
    func sine(_ rows: Matrix<Double>) throws(LinearAlgebraError) -> Double {
      let behind = rows.view[0..<rows.rows, rows.rows..<order]
      return try GramMatrix(symmetric: product(behind, behind.transposed)).largestEigenvalue().squareRoot()
    }
    return (try sine(z), try sine(images))
  }

  /// A bound of ‖ΔW·v‖ for unit vectors v, in V's coordinates, orthogonal to the orthonormal rows of a space.
  func restOfUpdate(outside space: Matrix<Double>) throws(LinearAlgebraError) -> Double {
    var rest = reach
    rest.subtractProjection(on: space)
    return try GramMatrix(symmetric: product(rest.view, rest.transposed)).largestEigenvalue().squareRoot()
  }
}

/// The leading singular vectors of W₊ from its `UpdatedGram` on a growing space, whose residuals bound the error.
///
/// The space begins with W₀'s own leading vectors and grows by residuals that are divided by what the diagonal tells of the operator
/// (Davidson 1975): with the diagonal for most of it, each step squares the error or nearly so. `RitzVectors` says what bounds it.
package struct UpdatedGramIteration {
  private let operand: UpdatedWeight
  private let gram: UpdatedGram
  private let basis: SpectralBasis
  private let wanted: [Int]
  /// Orthonormal rows, and their images.
  private var space: Matrix<Double>
  private var products: Matrix<Double>
  /// The operator within the space: the products of both.
  private var projected: Matrix<Double>
  /// σ_{c+1} of W₀.
  private let next: Double
  /// The norm of the error that the basis and rounding give the operator.
  private let basisError: Double
  private let scale: Double

  /// - Parameters:
  ///   - start: how many of W₀'s leading vectors to begin with.
  ///   - wanted: the k whose subspaces are asked for; at most `start`.
  package init(_ operand: UpdatedWeight, _ gram: UpdatedGram, basis: SpectralBasis, start c: Int, wanted: [Int]) {
    (self.operand, self.gram, self.basis, self.wanted) = (operand, gram, basis, wanted)
    space = Matrix(rows: c, columns: gram.order)
    for i in 0..<c { space[i, i] = 1 }
    products = gram.images(of: space)
    projected = product(space.view, products.transposed)
    next = c < basis.order ? basis.values[c] : 0
    let largest = basis.values.first ?? 0
    scale = largest + operand.update.spectralNorm
    basisError = basis.error.squared + 2 * scale * basis.error.direct
  }

  /// Grows the space until the error bounds are below what is asked for.
  ///
  /// - Parameter tolerance: the error, in radians, that is small enough where the first vectors have turned by at least the angle.
  /// - Returns: nil where the space would outgrow half of the matrix first. Cost: one product with W₀, at the end.
  package mutating func solve(tolerance: (_ angle: Double) -> Double) throws -> UpdatedSubspace? {
    for _ in 0...RayleighRitz.mostExtensions {
      let ritz = try ritz()
      var errors: [Int: Double] = [:]
      let open = try wanted.filter { k in
        let sines = try gram.sines(of: ritz.vectors(k), values: ritz.values(k), basis: basis)
        let enough = tolerance(asin(min(1, sines.short, sines.long)))
        errors[k] = try ritz.error(of: k, enough: enough)
        return errors[k]! > enough
      }
      if open.isEmpty { return subspace(ritz, errors) }
      guard let block = ritz.extension(for: open.max()!, dividedByDistanceTo: gram.diagonal),
        2 * (space.rows + block.rows) <= gram.order
      else { return nil }
      extend(by: try block.orthonormalized(against: space))
    }
    return nil
  }

  private mutating func extend(by fresh: Matrix<Double>) {
    let images = gram.images(of: fresh)
    let across = product(fresh.view, products.transposed)
    projected = .stacked([
      .sideBySide([projected, across.transposedCopy()]),
      .sideBySide([across, product(fresh.view, images.transposed)]),
    ])
    space = .stacked([space, fresh])
    products = .stacked([products, images])
  }

  private func ritz() throws -> RitzVectors {
    var outer = products
    outer.add(product: projected.scaled(by: -1).view, space.view)
    let outside = next + (try gram.restOfUpdate(outside: space))
    return try RitzVectors(
      of: projected, in: space, outer: outer, first: wanted.max()!, outside: outside * outside,
      rounding: 8 * Double.unitRoundoff * scale * scale * Double(space.rows).squareRoot() + basisError)
  }

  /// The subspaces of both sides, out of V's coordinates.
  private func subspace(_ ritz: RitzVectors, _ errors: [Int: Double]) -> UpdatedSubspace {
    let count = wanted.max()!
    let short = product(ritz.vectors(count), gram.side.vectors)
    let isRight = gram.side.side == .right
    var long = isRight ? operand.images(of: short) : operand.adjointImages(of: short)
    let values = ritz.values(count)
    for i in 0..<count { long.scaleRow(i, by: values[i] > 0 ? 1 / values[i] : 0) }
    return UpdatedSubspace(
      values: values, left: isRight ? long : short, right: isRight ? short : long, errors: errors)
  }
}
