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
      var found = subspace(ritz)
      let open = try wanted.filter { k in
        let enough = try tolerance(k, found)
        found.errors[k] = try ritz.error(of: k, enough: enough)
        return found.errors[k]! > enough
      }
      if open.isEmpty { return found }
      guard let block = ritz.extension(for: open.max()!),
        2 * (space.rows + block.rows) <= operand.smallerDimension
      else { return nil }
      try extend(by: block)
    }
    return nil
  }

  private mutating func extend(by rows: Matrix<Double>) throws {
    let fresh = try rows.orthonormalized(against: space)
    let moved = operand.images(of: fresh)
    space = .stacked([space, fresh])
    images = .stacked([images, moved])
    products = .stacked([products, operand.adjointImages(of: moved)])
  }

  /// The subspaces, with errors yet to be bounded.
  private func subspace(_ ritz: RitzVectors) -> UpdatedSubspace {
    let count = wanted.max()!
    var left = product(ritz.leading(count), images.view)
    let values = ritz.values(count)
    for i in 0..<count { left.scaleRow(i, by: values[i] > 0 ? 1 / values[i] : 0) }
    return UpdatedSubspace(values: values, left: left, right: ritz.vectors(count), errors: [:])
  }

  private func ritz() throws -> RitzVectors {
    // The part of the products that the space does not hold.
    var outer = products
    for _ in 0..<2 { outer.subtractProjection(on: space) }
    let outside = next + (try restOfUpdate())
    return try RitzVectors(
      of: product(images.view, images.transposed), in: space, outer: outer, first: wanted.max()!,
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
