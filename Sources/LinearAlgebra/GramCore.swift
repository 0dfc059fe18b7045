/// A product of factors reduced to a small core by the Cholesky factors of the Gram matrices of its two sides: left = Q·L and
/// rightᵀ = P·R with orthonormal Q and P, so that left·right has the singular values of L·Rᵀ.
///
/// It is the fast route to spectrum and vectors alike, and reads each factor once. There is one only where the conditioning of the
/// factors, balanced term by term, leaves every singular value 1e-11 of itself.
package struct GramCore: Equatable, Sendable {
  /// The singular values, descending; as many as there are terms.
  package let values: [Double]
  /// left · leftMap and (rightMap · right) are the singular vectors: terms × terms each.
  private let leftMap: Matrix<Double>
  private let rightMap: Matrix<Double>
  /// A bound of the norm of the error in the product that explains the error of the vectors.
  package let backwardError: Double

  /// - Returns: nil where another route has to be taken: the factors are wide, ill-conditioned, zero in part, or not finite.
  /// - Throws: `LinearAlgebraError.notConverged`. Cost 2·(rows + columns)·terms².
  init?(_ factors: LowRankProduct) throws(LinearAlgebraError) {
    guard 2 * factors.terms <= Swift.min(factors.rows, factors.columns), factors.terms > 0 else { return nil }
    var leftGram = product(factors.left.transposed, factors.left.view)
    var rightGram = product(factors.right.view, factors.right.transposed)
    // Scaling by powers of two rounds nothing, so that scaling the Gram matrices is scaling the factors.
    guard let leftPowers = leftGram.balance(), let rightPowers = rightGram.balance(),
      let a = squaredCondition(ofGram: leftGram), let b = squaredCondition(ofGram: rightGram),
      Double.unitRoundoff * a * b <= LowRankProduct.targetAccuracy,
      let l = choleskyFactor(of: leftGram), let r = choleskyFactor(of: rightGram)
    else { return nil }
    let core = Self.core(l, leftPowers, rightPowers, r)
    let svd = try singularValueDecomposition(of: core)
    values = svd.values
    leftMap = Self.map(svd.u!, l, leftPowers)
    rightMap = Self.map(svd.vTransposed!.transposedCopy(), r, rightPowers).transposedCopy()
    backwardError = 16 * Double.unitRoundoff * Swift.max(a, b) * (svd.values.first ?? 0)
  }

  /// L·D⁻¹·E⁻¹·Rᵀ, with the powers of two taken back.
  private static func core(
    _ l: Matrix<Double>, _ leftPowers: [Double], _ rightPowers: [Double], _ r: Matrix<Double>
  ) -> Matrix<Double> {
    var scaled = l
    scaled.scaleColumns(by: zip(leftPowers, rightPowers).map { 1 / ($0 * $1) })
    return product(scaled.view, r.transposed)
  }

  /// D·L⁻¹·u: what the factor has to be multiplied with for its singular vectors.
  private static func map(_ u: Matrix<Double>, _ l: Matrix<Double>, _ powers: [Double]) -> Matrix<Double> {
    // L⁻¹·u is the transpose of uᵀ·L⁻ᵀ, and L⁻ᵀ is lower triangular: a triangular solve from the left.
    var solved = u
    solved.solve(upper: l)
    for (i, power) in powers.enumerated() { solved.scaleRow(i, by: power) }
    return solved
  }

  /// The left singular vectors of the first `count` values as rows.
  package func leftVectors(of factors: LowRankProduct, _ count: Int) -> Matrix<Double> {
    product(leftMap.view[0..<leftMap.rows, 0..<count].transposed, factors.left.transposed)
  }

  /// The right singular vectors of the first `count` values as rows.
  package func rightVectors(of factors: LowRankProduct, _ count: Int) -> Matrix<Double> {
    product(rightMap.view[0..<count, 0..<rightMap.columns], factors.right.view)
  }

  /// frame·U for a frame of rows, without forming U: the first `count` coordinates.
  package func leftCoordinates(of frame: MatrixView<Double>, _ factors: LowRankProduct, _ count: Int) -> Matrix<Double>
  {
    product(product(frame, factors.left.view).view, leftMap.view[0..<leftMap.rows, 0..<count])
  }

  /// frame·V, without forming V.
  package func rightCoordinates(of frame: MatrixView<Double>, _ factors: LowRankProduct, _ count: Int) -> Matrix<Double>
  {
    product(
      product(frame, factors.right.transposed).view, rightMap.view[0..<count, 0..<rightMap.columns].transposed)
  }
}

extension Matrix where S == Double {
  /// Scales a Gram matrix from both sides by powers of two that bring its diagonal into [1, 4).
  ///
  /// - Returns: the powers; nil where an entry of the diagonal is zero, not finite, or so near the ends of the range that digits were
  ///   lost.
  fileprivate mutating func balance() -> [Double]? {
    var powers: [Double] = []
    for i in 0..<rows {
      let value = self[i, i]
      guard value > 1e-250, value < 1e250 else { return nil }
      powers.append(Double(sign: .plus, exponent: -(Int(value.exponent) >> 1), significand: 1))
    }
    for i in 0..<rows {
      for j in 0..<columns { elements[i * columns + j] *= powers[i] * powers[j] }
    }
    return powers
  }

  /// self = r⁻¹·self for an upper triangular r of a small order.
  fileprivate mutating func solve(upper r: Matrix) {
    for i in (0..<rows).reversed() {
      for k in i + 1..<Swift.max(rows, i + 1) {
        let factor = r[i, k]
        for j in 0..<columns { elements[i * columns + j] -= factor * elements[k * columns + j] }
      }
      scaleRow(i, by: 1 / r[i, i])
    }
  }
}
