/// A thin QR factorisation a = Q·R of a tall matrix (rows ≥ columns).
package struct QRFactorization<S: Scalar>: Sendable {
  /// rows × columns with orthonormal columns.
  package var q: Matrix<S>
  /// columns × columns, upper triangular; its diagonal may be negative after Householder, never after CholeskyQR2.
  package var r: Matrix<S>
  package var route: QRRoute
}

/// The algorithm that gave a QR factorisation.
package enum QRRoute: String, Sendable {
  case cholesky2, householder
}

/// Householder QR by LAPACK: backward stable for every input. rows ≥ columns. Cost 4·rows·columns² flop.
///
/// - Throws: `LinearAlgebraError.nonFinite`.
package func householderQR<S: Scalar>(of a: Matrix<S>) throws(LinearAlgebraError) -> QRFactorization<S> {
  precondition(a.rows >= a.columns, "a thin QR factorisation needs a tall matrix")
  _ = try a.largestMagnitude()
  let (m, n) = (a.rows, a.columns)
  var q = a
  var r = Matrix<S>(rows: n, columns: n)
  guard n > 0 else { return QRFactorization(q: q, r: r, route: .householder) }
  var tau = [S](repeating: 0, count: n)
  q.elements.withUnsafeMutableBufferPointer { entries in
    // Seen column by column the same memory is aᵀ, and aᵀ = L·Qᵀ is a = Q·Lᵀ. L(j, i) stands at [i·n + j].
    lapackSucceeded(S.gelqf(n, m, entries.baseAddress!, &tau), "gelqf")
    for i in 0..<n {
      for j in i..<n { r[i, j] = entries[i * n + j] }
    }
    lapackSucceeded(S.orglq(n, m, entries.baseAddress!, tau), "orglq")
  }
  return QRFactorization(q: q, r: r, route: .householder)
}

/// R of a Householder QR factorisation alone. rows ≥ columns. Cost 2·rows·columns² − 2/3·columns³ flop.
///
/// - Throws: `LinearAlgebraError.nonFinite`.
package func triangularFactor<S: Scalar>(of a: consuming Matrix<S>) throws(LinearAlgebraError) -> Matrix<S> {
  precondition(a.rows >= a.columns, "a thin QR factorisation needs a tall matrix")
  _ = try a.largestMagnitude()
  let (m, n) = (a.rows, a.columns)
  var r = Matrix<S>(rows: n, columns: n)
  guard n > 0 else { return r }
  var tau = [S](repeating: 0, count: n)
  a.elements.withUnsafeMutableBufferPointer { entries in
    lapackSucceeded(S.gelqf(n, m, entries.baseAddress!, &tau), "gelqf")
    for i in 0..<n {
      for j in i..<n { r[i, j] = entries[i * n + j] }
    }
  }
  return r
}

/// CholeskyQR2 (Yamamoto, Nakatsukasa, Yanagisawa, Fukaya 2015): two rounds of Cholesky on the Gram matrix, all of it
/// matrix products. As accurate as Householder while κ(a) ≤ 1/(8√(mnu + n(n+1)u)), about 1e7 in Float64 and 400 in Float32.
///
/// - Returns: nil where a is too ill-conditioned for it.
/// - Throws: `LinearAlgebraError.nonFinite`.
package func choleskyQR2<S: Scalar>(of a: Matrix<S>) throws(LinearAlgebraError) -> QRFactorization<S>? {
  precondition(a.rows >= a.columns, "a thin QR factorisation needs a tall matrix")
  let scale = powerOfTwoScale(for: try a.largestMagnitude())
  guard a.columns > 0 else { return try householderQR(of: a) }
  var q = a.scaled(by: scale)
  let bound = S(64 * (a.rows * a.columns + a.columns * (a.columns + 1))) * S.unitRoundoff
  let gram = product(q.transposed, q.view)
  // The sufficient condition of the paper: κ² ≤ 1/(64 (mn + n(n+1)) u).
  guard let condition = squaredCondition(ofGram: gram), condition * bound <= 1 else { return nil }
  guard let first = choleskyFactor(of: gram) else { return nil }
  divide(&q, byUpper: first)
  guard let second = choleskyFactor(of: product(q.transposed, q.view)) else { return nil }
  divide(&q, byUpper: second)
  return QRFactorization(q: q, r: product(second, first, alpha: 1 / scale), route: .cholesky2)
}

/// The QR factorisation by CholeskyQR2 where the conditioning allows it, else by Householder; the route says which.
package func qr<S: Scalar>(of a: Matrix<S>) throws(LinearAlgebraError) -> QRFactorization<S> {
  if let fast = try choleskyQR2(of: a) { return fast }
  return try householderQR(of: a)
}

/// λ_max/λ_min of a symmetric positive semi-definite matrix, which is κ² of the matrix whose Gram matrix it is.
///
/// - Returns: nil where λ_min is not above the rounding error of the eigenvalues, n·u·λ_max: then κ is not known.
func squaredCondition<S: Scalar>(ofGram gram: Matrix<S>) -> S? {
  guard let values = symmetricEigenvalues(of: gram), let least = values.first, let largest = values.last else {
    return 1
  }
  return least > S(4 * gram.rows) * S.unitRoundoff * largest ? largest / least : nil
}

/// Ascending eigenvalues of a symmetric matrix; nil where LAPACK did not converge or the matrix is empty.
func symmetricEigenvalues<S: Scalar>(of a: Matrix<S>) -> [S]? {
  guard a.rows > 0 else { return nil }
  var copy = a.elements
  var values = [S](repeating: 0, count: a.rows)
  return S.syevd(a.rows, &copy, &values) == 0 ? values : nil
}

/// Upper triangular R with RᵀR = a, or nil where a is not positive definite in this arithmetic.
func choleskyFactor<S: Scalar>(of a: Matrix<S>) -> Matrix<S>? {
  var r = a
  guard S.potrf(a.rows, &r.elements) == 0 else { return nil }
  for i in 0..<a.rows {
    for j in 0..<i { r[i, j] = 0 }
  }
  return r
}

/// a = a·r⁻¹ for an upper triangular r.
func divide<S: Scalar>(_ a: inout Matrix<S>, byUpper r: Matrix<S>) {
  S.solveUpperFromRight(a.rows, a.columns, r.elements, &a.elements)
}

/// A LAPACK routine that cannot fail numerically reports only wrong arguments, which are a defect of this module.
func lapackSucceeded(_ info: Int, _ routine: String) {
  precondition(info == 0, "\(routine) refused its argument \(-info)")
}
