internal import CLAPACKE

/// Singular values and right singular vectors by bidiagonalisation, which does not square the condition number as a Gram matrix does.
package struct Bidiagonalization: Sendable {
  /// Descending; right to about u·σ₁ each.
  package let values: [Double]
  /// q × q: the singular vectors of the shorter side as rows; nil where only values were asked for.
  package let vectors: Matrix<Double>?

  /// Reads W once: a QR factorisation of its slabs leaves a triangular factor of q × q, which is bidiagonalised in place.
  ///
  /// Cost about 8·rows·columns·q for the triangular factor, 8/3·q³ for the values, and about 15·q³ for the vectors, all of it slower
  /// than by a Gram matrix. Memory about 4·8·q² bytes.
  package init(of w: some MatrixSource, vectors wanted: SingularVectors = .thin) throws {
    let n = w.smallerDimension
    guard n > 0 else {
      (values, vectors) = ([], wanted == .thin ? Matrix(rows: 0, columns: 0) : nil)
      return
    }
    let isTall = w.rows >= w.columns
    var r = Matrix<Double>(rows: 0, columns: n)
    // Thick slabs: each one costs a factorisation of the triangle so far as well.
    try w.forEachSlab(thickness: (n + 3) / 4) { slab, _ in
      let stacked = Matrix.stacked([r, isTall ? slab : slab.transposedCopy()])
      r = stacked.rows < n ? stacked : try triangularFactor(of: stacked)
    }
    // The columns of LAPACK are our rows: it sees Rᵀ = U·Σ·Vᵀ, whose U are the right vectors of R.
    var a = r.elements
    (values, vectors) = try Self.decompose(&a, order: n, vectors: wanted)
  }

  private static func decompose(
    _ a: inout [Double], order n: Int, vectors wanted: SingularVectors
  ) throws(LinearAlgebraError) -> ([Double], Matrix<Double>?) {
    var d = [Double](repeating: 0, count: n)
    var (e, tauQ, tauP) = (d, d, d)
    let size = Int32(n)
    lapackSucceeded(Int(LAPACKE_dgebrd(columnMajor, size, size, &a, size, &d, &e, &tauQ, &tauP)), "dgebrd")
    var (noVT, noC) = ([0.0], [0.0])
    guard wanted == .thin else {
      var noU = [0.0]
      let info = LAPACKE_dbdsqr(
        columnMajor, CChar(UInt8(ascii: "U")), size, 0, 0, 0, &d, &e, &noVT, 1, &noU, size, &noC, 1)
      guard info == 0 else { throw .notConverged(routine: "dbdsqr") }
      return (d, nil)
    }
    lapackSucceeded(
      Int(LAPACKE_dorgbr(columnMajor, CChar(UInt8(ascii: "Q")), size, size, size, &a, size, tauQ)), "dorgbr")
    let info = LAPACKE_dbdsqr(
      columnMajor, CChar(UInt8(ascii: "U")), size, 0, size, 0, &d, &e, &noVT, 1, &a, size, &noC, 1)
    guard info == 0 else { throw .notConverged(routine: "dbdsqr") }
    return (d, Matrix(rows: n, columns: n, elements: a))
  }
}

private let columnMajor = Int32(LAPACK_COL_MAJOR)
