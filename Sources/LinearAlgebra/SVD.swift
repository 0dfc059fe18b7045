/// A singular value decomposition a = U·diag(values)·Vᵀ, thin: with q = min(rows, columns), U is rows × q and Vᵀ q × columns.
package struct SVD<S: Scalar>: Sendable {
  /// rows × q, or nil where only values were asked for.
  package var u: Matrix<S>?
  /// Descending, never negative.
  package var values: [S]
  /// q × columns, or nil where only values were asked for.
  package var vTransposed: Matrix<S>?
}

/// What to compute beside the singular values.
package enum SingularVectors: Sendable {
  case none, thin
}

/// The singular value decomposition by LAPACK's divide and conquer, or by QR iteration where that does not converge.
///
/// The matrix is scaled by a power of two first, and a wide one is decomposed as its transpose, which LAPACK does several
/// times faster. Errors of the values are at most about max(rows, columns)·u·σ₁. Cost O(rows·columns·min(rows, columns)).
///
/// - Throws: `nonFinite` before LAPACK sees a NaN; `notConverged` where both algorithms fail.
package func singularValueDecomposition<S: Scalar>(
  of a: Matrix<S>, vectors: SingularVectors = .thin
) throws(LinearAlgebraError) -> SVD<S> {
  let q = a.smallerDimension
  let scale = powerOfTwoScale(for: try a.largestMagnitude())
  guard q > 0 else {
    let wanted = vectors == .thin
    return SVD(
      u: wanted ? Matrix(rows: a.rows, columns: 0) : nil, values: [],
      vTransposed: wanted ? Matrix(rows: 0, columns: a.columns) : nil)
  }
  // LAPACK reads memory by columns, so it sees our matrix transposed: a wide one appears tall, as LAPACK likes it.
  let isTall = a.rows > a.columns
  let seen = isTall ? a.transposedCopy() : a
  var result = try tallSVD(of: seen.scaled(by: scale), vectors: vectors)
  for i in result.values.indices { result.values[i] /= scale }
  if isTall, let u = result.u, let vt = result.vTransposed {
    (result.u, result.vTransposed) = (vt.transposedCopy(), u.transposedCopy())
  }
  return result
}

/// The singular values alone, descending; errors and cost as `singularValueDecomposition(of:vectors:)`.
package func singularValues<S: Scalar>(of a: Matrix<S>) throws(LinearAlgebraError) -> [S] {
  try singularValueDecomposition(of: a, vectors: .none).values
}

/// The decomposition of a row-major matrix with rows ≤ columns, whose memory LAPACK reads as the tall transpose.
private func tallSVD<S: Scalar>(of a: Matrix<S>, vectors: SingularVectors) throws(LinearAlgebraError) -> SVD<S> {
  let (n, m) = (a.rows, a.columns)
  let job = CChar(UInt8(ascii: vectors == .thin ? "S" : "N"))
  var s = [S](repeating: 0, count: n)
  // LAPACK's U (m × n by columns) is our Vᵀ (n × m by rows), and its Vᵀ (n × n by columns) our U.
  var u = [S](repeating: 0, count: vectors == .thin ? m * n : 1)
  var vt = [S](repeating: 0, count: vectors == .thin ? n * n : 1)
  var work = a.elements
  var info = S.gesdd(job, m, n, &work, &s, &u, &vt)
  precondition(info >= 0, "gesdd refused its argument \(-info)")
  if info > 0 {
    work = a.elements
    info = S.gesvd(job, m, n, &work, &s, &u, &vt)
    guard info == 0 else { throw .notConverged(routine: "gesvd") }
  }
  guard vectors == .thin else { return SVD(u: nil, values: s, vTransposed: nil) }
  return SVD(
    u: Matrix(rows: n, columns: n, elements: vt), values: s, vTransposed: Matrix(rows: n, columns: m, elements: u))
}
