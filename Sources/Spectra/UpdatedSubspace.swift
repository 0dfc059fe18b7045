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
  package let errors: [Int: Double]

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

// MARK: - Rayleigh–Ritz

/// Rayleigh–Ritz for the leading right singular vectors of W₊ on a growing space, whose residuals bound the error.
///
/// The space begins with W₀'s own leading vectors, which W₊ᵀW₊ maps into it up to the directions of the update: its row space R and
/// W₀ᵀL. What is missing then comes from the residuals themselves, as in a block Krylov method (Golub and Underwood 1977).
///
/// With X the first k Ritz vectors, E their residuals outside the space, and C the compression of W₊ᵀW₊ to the complement of X, the
/// tan 2θ theorem of Davis and Kahan (1970) gives tan 2θ ≤ 2‖E‖/(θ_k² − λ_max(C)). The largest eigenvalue of C is bounded by that of
/// [Θ², N; Nᵀ, β²], with the remaining Ritz values Θ², NNᵀ the Gram matrix of their residuals, and β ≥ ‖W₊‖ outside the space: outside
/// W₀'s leading vectors and R that is at most σ_{c+1}(W₀).
package struct RayleighRitz {
  private let operand: UpdatedWeight
  private let wanted: [Int]
  /// The space: s × columns, orthonormal rows; its images W₊·q; and W₊ᵀ of those.
  private var space: Matrix<Double>
  private var images: Matrix<Double>
  private var products: Matrix<Double>
  /// β: a bound of ‖W₊x‖ for unit vectors x orthogonal to the space.
  private let outside: Double
  private let scale: Double

  /// How often the space may grow before a dense decomposition is the better way.
  static let mostExtensions = 14

  /// - Parameter wanted: the k whose subspaces are asked for; at most what the basis keeps of leading vectors.
  /// - Parameter pulled: W₀ᵀ·uᵢ of the update's left vectors as rows, for an update of low rank.
  package init(_ operand: UpdatedWeight, basis: SpectralBasis, wanted: [Int], pulled: Matrix<Double>?) throws {
    self.operand = operand
    self.wanted = wanted
    let (update, c) = (operand.update, Self.startCount(basis, wanted))
    let v = Matrix(basis.first(c, .right)!)
    let u = basis.first(c, .left)!
    let next = c < basis.order ? basis.values[c] : 0
    scale = (basis.values.first ?? 0) + update.spectralNorm
    let isFactored = pulled != nil
    // What the basis itself is off by counts as rounding, which the bound has room for.
    outside = next + (isFactored ? 0 : update.spectralNorm)
    // W₀v = σu and W₀ᵀu = σv are known; only the update has to be applied.
    var scaledU = Matrix(u)
    var scaledV = v
    for i in 0..<c {
      scaledU.scaleRow(i, by: basis.values[i])
      scaledV.scaleRow(i, by: basis.values[i] * basis.values[i])
    }
    let moved = update.images(of: v)
    space = v
    images = scaledU + moved
    products = scaledV + update.adjointImages(of: images)
    if let pulled {
      // W₀ᵀ(ΔW·v) = Σ (ΔW·v)ᵀu… in coordinates of the update's left vectors.
      products.add(product: product(moved.view, update.left.transposed).view, pulled.view)
      try extend(by: .stacked([update.right, pulled]))
    } else {
      products.add(operand.base.adjointImages(of: moved))
    }
  }

  /// W₀'s leading vectors to begin with: more of them than wanted let the rest converge faster, and cost no product with W₀.
  private static func startCount(_ basis: SpectralBasis, _ wanted: [Int]) -> Int {
    let most = wanted.max() ?? 1
    return min(basis.leading, max(2 * most, most + 16))
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
      fresh.add(product: product(fresh.view, space.transposed).scaled(by: -1).view, space.view)
      fresh = try householderQR(of: fresh.transposedCopy()).q.transposedCopy()
    }
    let moved = operand.images(of: fresh)
    space = .stacked([space, fresh])
    images = .stacked([images, moved])
    products = .stacked([products, operand.adjointImages(of: moved)])
  }

  /// Grows the space until the error bounds are below what `isEnough` asks for.
  ///
  /// - Parameter tolerance: the error, in radians, that is small enough for a k.
  /// - Returns: nil where the space would outgrow half of the matrix first.
  package mutating func solve(tolerance: (Int, UpdatedSubspace) throws -> Double) throws -> UpdatedSubspace? {
    for _ in 0...Self.mostExtensions {
      let ritz = try ritz()
      let found = try ritz.subspace
      let open = try wanted.filter { k in try found.errors[k]! > tolerance(k, found) }
      if open.isEmpty { return found }
      let block = ritz.residuals(of: open.max()!, rounding: rounding)
      guard let block, 2 * (space.rows + block.rows) <= operand.smallerDimension else { return nil }
      try extend(by: block)
    }
    return nil
  }

  /// The norm that rounding alone gives a residual.
  private var rounding: Double { 8 * Double.unitRoundoff * scale * scale * Double(space.rows).squareRoot() }

  private func ritz() throws -> Ritz {
    let form = TridiagonalForm(reducing: try GramMatrix(of: images))
    let squares = try form.eigenvalues()
    let vectors = try form.eigenvectors(0..<space.rows)
    // The part of the products that the space does not hold.
    var outer = products
    for _ in 0..<2 { outer.add(product: product(outer.view, space.transposed).scaled(by: -1).view, space.view) }
    return Ritz(
      squares: squares, right: product(vectors, space), images: product(vectors, images),
      residuals: product(vectors, outer), outside: outside * outside, rounding: rounding, wanted: wanted)
  }
}

/// Ritz vectors, values and residuals of one space.
private struct Ritz {
  /// Squares of the Ritz values, descending.
  let squares: [Double]
  let right: Matrix<Double>
  let images: Matrix<Double>
  let residuals: Matrix<Double>
  /// β².
  let outside: Double
  let rounding: Double
  let wanted: [Int]

  var subspace: UpdatedSubspace {
    get throws {
      let count = wanted.max()!
      let gram = product(residuals.view, residuals.transposed)
      let values = squares.prefix(count).map { max(0, $0).squareRoot() }
      var left = Matrix(images.view[0..<count, 0..<images.columns])
      for i in 0..<count { left.scaleRow(i, by: values[i] > 0 ? 1 / values[i] : 0) }
      let errors = try wanted.map { k in (k, try error(of: k, gram)) }
      return UpdatedSubspace(
        values: values, left: left, right: Matrix(right.view[0..<count, 0..<right.columns]),
        errors: Dictionary(errors) { first, _ in first })
    }
  }

  /// ½·atan(2‖E‖/(θ_k² − λ_max(C))), or π/2 where nothing separates the two.
  private func error(of k: Int, _ gram: Matrix<Double>) throws -> Double {
    let norm = try largestEigenvalue(Matrix(gram.view[0..<k, 0..<k])).squareRoot() + rounding
    let separation = squares[k - 1] - (try complementBound(k, gram)) - 2 * rounding
    guard separation > 0 else { return .pi / 2 }
    return atan(2 * norm / separation) / 2
  }

  /// An upper bound of the largest eigenvalue of W₊ᵀW₊ on the complement of the first k Ritz vectors.
  private func complementBound(_ k: Int, _ gram: Matrix<Double>) throws -> Double {
    let rest = squares.count - k
    guard rest > 0 else { return outside }
    let form = TridiagonalForm(reducing: GramMatrix(symmetric: Matrix(gram.view[k..<squares.count, k..<squares.count])))
    let energies = try form.eigenvalues()
    // Residuals span as many directions as the last extension had; the others are rounding, which enters below.
    let floor = rounding * rounding
    let count = energies.count { $0 > floor }
    let directions = try form.eigenvectors(0..<count)
    var coupled = Matrix<Double>(rows: rest + count, columns: rest + count)
    for i in 0..<rest { coupled[i, i] = squares[k + i] }
    for j in 0..<count {
      coupled[rest + j, rest + j] = outside
      for i in 0..<rest {
        coupled[i, rest + j] = directions[j, i] * energies[j].squareRoot()
        coupled[rest + j, i] = coupled[i, rest + j]
      }
    }
    return max(outside, try largestEigenvalue(coupled)) + rounding
  }

  private func largestEigenvalue(_ a: Matrix<Double>) throws -> Double {
    max(0, try TridiagonalForm(reducing: GramMatrix(symmetric: a)).eigenvalues().first ?? 0)
  }

  /// Directions in which to extend the space: the residuals of the first `count` Ritz vectors that are not rounding; nil where none is.
  func residuals(of count: Int, rounding: Double) -> Matrix<Double>? {
    let norms = (0..<count).map { residuals.rowNorm($0) }
    let largest = norms.max() ?? 0
    let kept = norms.indices.filter { norms[$0] > max(4 * rounding, 1e-3 * largest) }
    guard !kept.isEmpty else { return nil }
    return .stacked(kept.map { Matrix(residuals.view[$0..<$0 + 1, 0..<residuals.columns]) })
  }
}
