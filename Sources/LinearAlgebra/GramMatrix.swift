internal import CLAPACKE
internal import COpenBLAS

/// The Gram matrix of the shorter side of a matrix W: WᵀW of a tall one, W·Wᵀ of a wide one, q × q with q = min(rows, columns).
///
/// In Float64 it has an error of about u·‖W‖_F², so that singular values are right to u·σ₁²/σ and singular vectors to
/// u·σ₁²/(σᵢ² − σⱼ²): enough for everything above 1e-6 σ₁. In Float32 it would lose the trailing vectors.
package struct GramMatrix: Sendable {
  package let order: Int
  /// Row-major; the upper triangle holds the matrix, what is below it is unspecified.
  package fileprivate(set) var upper: [Double]

  /// Reads W once, in slabs. Cost rows·columns·q flop.
  package init(of w: some MatrixSource) throws {
    order = w.smallerDimension
    upper = [Double](repeating: 0, count: order * order)
    guard order > 0 else { return }
    let isTall = w.rows >= w.columns
    try w.forEachSlab { slab, range in
      let n = blasint(order)
      upper.withUnsafeMutableBufferPointer { g in
        cblas_dsyrk(
          CblasRowMajor, CblasUpper, isTall ? CblasTrans : CblasNoTrans, n, blasint(range.count), 1, slab.elements,
          isTall ? n : blasint(range.count), 1, g.baseAddress!, n)
      }
    }
  }

  /// A symmetric matrix that is given.
  package init(symmetric a: Matrix<Double>) {
    precondition(a.rows == a.columns, "a symmetric matrix is square")
    (order, upper) = (a.rows, a.elements)
  }

  /// ‖W‖_F², the trace.
  package var trace: Double { (0..<order).reduce(0) { $0 + upper[$1 * (order + 1)] } }

  /// Whether this arithmetic finds it positive definite. Cost n³/3 flop.
  package consuming func isPositiveDefinite() -> Bool {
    var r = upper
    upper = []
    return Double.potrf(order, &r) == 0
  }

  /// The upper triangular R with RᵀR = this matrix, its rows one after the other from the diagonal on; nil where the matrix is not
  /// positive definite in this arithmetic.
  package func packedCholeskyFactor() -> [Double]? {
    var r = upper
    // Row-major upper is column-major lower: there L·Lᵀ, seen by rows RᵀR.
    guard Double.potrf(order, &r) == 0 else { return nil }
    return (0..<order).flatMap { r[$0 * order + $0..<($0 + 1) * order] }
  }
}

/// A symmetric matrix brought to tridiagonal form, Qᵀ·G·Q = T: all eigenvalues, and the eigenvectors of any range of them.
package struct TridiagonalForm: Sendable {
  package let order: Int
  private var reflectors: [Double]
  private let diagonal: [Double]
  private let offDiagonal: [Double]
  private let tau: [Double]

  /// Consumes the matrix. Cost 4/3·n³ flop, half of them in matrix–vector products.
  package init(reducing gram: consuming GramMatrix) {
    let n = gram.order
    order = n
    var (d, e, tau) = (
      [Double](repeating: 0, count: n), [Double](repeating: 0, count: max(1, n)),
      [Double](repeating: 0, count: max(1, n))
    )
    var a = gram.upper
    gram.upper = []
    if n > 0 {
      let info = LAPACKE_dsytrd(columnMajor, lower, Int32(n), &a, Int32(n), &d, &e, &tau)
      lapackSucceeded(Int(info), "dsytrd")
    }
    (reflectors, diagonal, offDiagonal, self.tau) = (a, d, e, tau)
  }

  /// All eigenvalues, descending. Cost O(n²).
  package func eigenvalues() throws(LinearAlgebraError) -> [Double] {
    guard order > 0 else { return [] }
    var (d, e) = (diagonal, offDiagonal)
    guard LAPACKE_dsterf(Int32(order), &d, &e) == 0 else { throw .notConverged(routine: "dsterf") }
    return d.reversed()
  }

  /// The eigenvectors of the eigenvalues `range`, counted from 0 in descending order, as rows in that order.
  ///
  /// They come from relatively robust representations, whose orthogonality is checked; where it fails they come from QR iteration.
  /// Cost O(n·count) for T, and 2·n²·count to bring them back.
  package func eigenvectors(_ range: Range<Int>) throws(LinearAlgebraError) -> Matrix<Double> {
    let count = range.count
    guard count > 0 else { return Matrix(rows: 0, columns: order) }
    // Rows of length n one after the other are LAPACK's columns; ascending there, so reversed here.
    var z = try orthonormalVectors(range)
    let info = LAPACKE_dormtr(
      columnMajor, CChar(UInt8(ascii: "L")), lower, CChar(UInt8(ascii: "N")), Int32(order), Int32(count), reflectors,
      Int32(order), tau, &z, Int32(order))
    lapackSucceeded(Int(info), "dormtr")
    let n = order
    let descending = [Double](unsafeUninitializedCapacity: n * count) { buffer, initialized in
      for row in 0..<count {
        for j in 0..<n { buffer[row * n + j] = z[(count - 1 - row) * n + j] }
      }
      initialized = n * count
    }
    return Matrix(rows: count, columns: n, elements: descending)
  }

  private func relativelyRobustVectors(_ range: Range<Int>) -> [Double]? {
    let (n, count) = (order, range.count)
    var (d, e) = (diagonal, offDiagonal)
    if e.count < n { e.append(0) }
    var (found, tryRelative) = (Int32(0), Int32(1))
    var values = [Double](repeating: 0, count: n)
    var z = [Double](repeating: 0, count: n * count)
    var support = [Int32](repeating: 0, count: 2 * count)
    // Of all of them the values come from dqds, which is much faster than the bisection that finds those of a range.
    let isWhole = count == n
    let info = LAPACKE_dstemr(
      columnMajor, CChar(UInt8(ascii: "V")), CChar(UInt8(ascii: isWhole ? "A" : "I")), Int32(n), &d, &e, 0, 0,
      Int32(n - range.upperBound + 1), Int32(n - range.lowerBound), &found, &values, &z, Int32(n), Int32(count),
      &support, &tryRelative)
    return info == 0 && Int(found) == count ? z : nil
  }

  /// The eigenvectors of T by the fastest way that leaves them orthonormal: of the range, of which all are taken where that fails, and by
  /// QR iteration.
  private func orthonormalVectors(_ range: Range<Int>) throws(LinearAlgebraError) -> [Double] {
    for attempt in range.count == order ? [range] : [range, 0..<order] {
      guard let found = relativelyRobustVectors(attempt) else { continue }
      let vectors = attempt == range ? found : part(range, of: found)
      if isOrthonormal(vectors) { return vectors }
    }
    return part(range, of: try vectorsByQRIteration())
  }

  /// A range, in descending order, of all n vectors in ascending order.
  private func part(_ range: Range<Int>, of all: [Double]) -> [Double] {
    Array(all[(order - range.upperBound) * order..<(order - range.lowerBound) * order])
  }

  /// max |zᵀz − 1| within 1e-12: representations that are not robust lose far more at once.
  private func isOrthonormal(_ z: [Double]) -> Bool {
    // Reading a matrix in memory does not fail.
    let gram = try! GramMatrix(of: Matrix(rows: z.count / order, columns: order, elements: z))
    return (0..<gram.order).allSatisfy { i in
      (i..<gram.order).allSatisfy { j in abs(gram.upper[i * gram.order + j] - (i == j ? 1 : 0)) <= 1e-12 }
    }
  }

  /// All eigenvectors of T by implicit QR, ascending: O(n³), for the rare matrices that dstemr fails on.
  private func vectorsByQRIteration() throws(LinearAlgebraError) -> [Double] {
    let n = order
    var (d, e) = (diagonal, offDiagonal)
    var z = [Double](repeating: 0, count: n * n)
    guard LAPACKE_dsteqr(columnMajor, CChar(UInt8(ascii: "I")), Int32(n), &d, &e, &z, Int32(n)) == 0 else {
      throw .notConverged(routine: "dsteqr")
    }
    return z
  }
}

private let columnMajor = Int32(LAPACK_COL_MAJOR)
private let lower = CChar(UInt8(ascii: "L"))
