internal import CKernels
internal import CLAPACKE
internal import COpenBLAS
import RealModule

/// The two scalar types that BLAS and LAPACK know, with the whole-array operations that this package uses.
///
/// Generic code calls these once per array, never once per element: an element loop in generic code that crosses a module
/// boundary runs hundreds of times slower than a specialised one. All pointers are row-major unless a name says otherwise.
package protocol Scalar: Real, BinaryFloatingPoint, ElementLoops, Sendable {
  /// Half the distance from 1 to the next larger value: 2⁻²⁴ or 2⁻⁵³.
  static var unitRoundoff: Self { get }

  /// c = alpha·op(a)·op(b) + beta·c, where c is m × n and the inner dimension k.
  static func gemm(
    _ transposeA: Bool, _ transposeB: Bool, _ m: Int, _ n: Int, _ k: Int, _ alpha: Self, _ a: UnsafePointer<Self>,
    _ lda: Int, _ b: UnsafePointer<Self>, _ ldb: Int, _ beta: Self, _ c: UnsafeMutablePointer<Self>, _ ldc: Int)

  /// c = alpha·op(a)·op(b) for a small c (m × n) and a long inner dimension k, by a kernel of this package.
  ///
  /// - Returns: false, with c as it was, where BLAS is faster or alone knows how.
  static func skinnyProduct(
    _ transposeA: Bool, _ transposeB: Bool, _ m: Int, _ n: Int, _ k: Int, _ alpha: Self, _ a: UnsafePointer<Self>,
    _ lda: Int, _ b: UnsafePointer<Self>, _ ldb: Int, _ c: UnsafeMutablePointer<Self>
  ) -> Bool

  /// b = b·r⁻¹ for an upper triangular r (n × n) and b of m × n.
  static func solveUpperFromRight(
    _ m: Int, _ n: Int, _ r: UnsafePointer<Self>, _ b: UnsafeMutablePointer<Self>)

  /// Cholesky: the upper triangle of a (n × n) becomes R with RᵀR = a. Returns LAPACK's info.
  static func potrf(_ n: Int, _ a: UnsafeMutablePointer<Self>) -> Int

  /// Eigenvalues, ascending, of the symmetric a (n × n), which is destroyed. Returns LAPACK's info.
  static func syevd(_ n: Int, _ a: UnsafeMutablePointer<Self>, _ values: UnsafeMutablePointer<Self>) -> Int

  /// LQ of the column-major a (n × m, n ≤ m), which is the QR of the row-major m × n matrix in the same memory.
  static func gelqf(_ n: Int, _ m: Int, _ a: UnsafeMutablePointer<Self>, _ tau: UnsafeMutablePointer<Self>) -> Int

  /// The n rows of Q of a `gelqf`, in its memory.
  static func orglq(_ n: Int, _ m: Int, _ a: UnsafeMutablePointer<Self>, _ tau: UnsafePointer<Self>) -> Int

  /// Column-major SVD of a (m × n, m ≥ n), which is destroyed; `job` is "S" (thin) or "N" (values only).
  static func gesdd(
    _ job: CChar, _ m: Int, _ n: Int, _ a: UnsafeMutablePointer<Self>, _ s: UnsafeMutablePointer<Self>,
    _ u: UnsafeMutablePointer<Self>, _ vt: UnsafeMutablePointer<Self>
  ) -> Int

  /// As `gesdd`, by QR iteration: slower, and convergent where divide and conquer is not.
  static func gesvd(
    _ job: CChar, _ m: Int, _ n: Int, _ a: UnsafeMutablePointer<Self>, _ s: UnsafeMutablePointer<Self>,
    _ u: UnsafeMutablePointer<Self>, _ vt: UnsafeMutablePointer<Self>
  ) -> Int
}

private let columnMajor = Int32(LAPACK_COL_MAJOR)
private let upper = CChar(UInt8(ascii: "U"))
private let lower = CChar(UInt8(ascii: "L"))

extension Double: Scalar {
  package static let unitRoundoff = 0x1p-53

  package static func gemm(
    _ transposeA: Bool, _ transposeB: Bool, _ m: Int, _ n: Int, _ k: Int, _ alpha: Double, _ a: UnsafePointer<Double>,
    _ lda: Int, _ b: UnsafePointer<Double>, _ ldb: Int, _ beta: Double, _ c: UnsafeMutablePointer<Double>, _ ldc: Int
  ) {
    cblas_dgemm(
      CblasRowMajor, transposeA ? CblasTrans : CblasNoTrans, transposeB ? CblasTrans : CblasNoTrans, blasint(m),
      blasint(n), blasint(k), alpha, a, blasint(lda), b, blasint(ldb), beta, c, blasint(ldc))
  }

  package static func skinnyProduct(
    _ transposeA: Bool, _ transposeB: Bool, _ m: Int, _ n: Int, _ k: Int, _ alpha: Double, _ a: UnsafePointer<Double>,
    _ lda: Int, _ b: UnsafePointer<Double>, _ ldb: Int, _ c: UnsafeMutablePointer<Double>
  ) -> Bool {
    // Where the kernels were measured to be faster. OpenBLAS does not copy for products of up to 10⁶ multiplications; with large
    // results copying pays, unless they are Gram matrices, of which a kernel computes half.
    guard transposeA != transposeB, 8...128 ~= m, 8...128 ~= n, k >= 512, k >= 8 * max(m, n), m * n * k > 1_000_000,
      m * n <= 8192 || a == b, has_skinny_products() != 0
    else { return false }
    (transposeA ? skinny_product_tall : skinny_product_wide)(m, n, k, alpha, a, lda, b, ldb, c)
    return true
  }

  package static func solveUpperFromRight(
    _ m: Int, _ n: Int, _ r: UnsafePointer<Double>, _ b: UnsafeMutablePointer<Double>
  ) {
    cblas_dtrsm(
      CblasRowMajor, CblasRight, CblasUpper, CblasNoTrans, CblasNonUnit, blasint(m), blasint(n), 1, r, blasint(n), b,
      blasint(n))
  }

  package static func potrf(_ n: Int, _ a: UnsafeMutablePointer<Double>) -> Int {
    // The lower triangle of the column-major matrix is the upper one of the row-major matrix.
    Int(LAPACKE_dpotrf(columnMajor, lower, Int32(n), a, Int32(n)))
  }

  package static func syevd(_ n: Int, _ a: UnsafeMutablePointer<Double>, _ values: UnsafeMutablePointer<Double>) -> Int
  {
    Int(LAPACKE_dsyevd(columnMajor, CChar(UInt8(ascii: "N")), upper, Int32(n), a, Int32(n), values))
  }

  package static func gelqf(
    _ n: Int, _ m: Int, _ a: UnsafeMutablePointer<Double>, _ tau: UnsafeMutablePointer<Double>
  ) -> Int {
    Int(LAPACKE_dgelqf(columnMajor, Int32(n), Int32(m), a, Int32(n), tau))
  }

  package static func orglq(_ n: Int, _ m: Int, _ a: UnsafeMutablePointer<Double>, _ tau: UnsafePointer<Double>) -> Int
  {
    Int(LAPACKE_dorglq(columnMajor, Int32(n), Int32(m), Int32(n), a, Int32(n), tau))
  }

  package static func gesdd(
    _ job: CChar, _ m: Int, _ n: Int, _ a: UnsafeMutablePointer<Double>, _ s: UnsafeMutablePointer<Double>,
    _ u: UnsafeMutablePointer<Double>, _ vt: UnsafeMutablePointer<Double>
  ) -> Int {
    Int(LAPACKE_dgesdd(columnMajor, job, Int32(m), Int32(n), a, Int32(m), s, u, Int32(m), vt, Int32(n)))
  }

  package static func gesvd(
    _ job: CChar, _ m: Int, _ n: Int, _ a: UnsafeMutablePointer<Double>, _ s: UnsafeMutablePointer<Double>,
    _ u: UnsafeMutablePointer<Double>, _ vt: UnsafeMutablePointer<Double>
  ) -> Int {
    var superdiagonal = [Double](repeating: 0, count: Swift.max(n, 1))
    return Int(
      LAPACKE_dgesvd(
        columnMajor, job, job, Int32(m), Int32(n), a, Int32(m), s, u, Int32(m), vt, Int32(n), &superdiagonal))
  }
}

extension Float: Scalar {
  package static let unitRoundoff: Float = 0x1p-24

  package static func gemm(
    _ transposeA: Bool, _ transposeB: Bool, _ m: Int, _ n: Int, _ k: Int, _ alpha: Float, _ a: UnsafePointer<Float>,
    _ lda: Int, _ b: UnsafePointer<Float>, _ ldb: Int, _ beta: Float, _ c: UnsafeMutablePointer<Float>, _ ldc: Int
  ) {
    cblas_sgemm(
      CblasRowMajor, transposeA ? CblasTrans : CblasNoTrans, transposeB ? CblasTrans : CblasNoTrans, blasint(m),
      blasint(n), blasint(k), alpha, a, blasint(lda), b, blasint(ldb), beta, c, blasint(ldc))
  }

  package static func skinnyProduct(
    _ transposeA: Bool, _ transposeB: Bool, _ m: Int, _ n: Int, _ k: Int, _ alpha: Float, _ a: UnsafePointer<Float>,
    _ lda: Int, _ b: UnsafePointer<Float>, _ ldb: Int, _ c: UnsafeMutablePointer<Float>
  ) -> Bool { false }

  package static func solveUpperFromRight(
    _ m: Int, _ n: Int, _ r: UnsafePointer<Float>, _ b: UnsafeMutablePointer<Float>
  ) {
    cblas_strsm(
      CblasRowMajor, CblasRight, CblasUpper, CblasNoTrans, CblasNonUnit, blasint(m), blasint(n), 1, r, blasint(n), b,
      blasint(n))
  }

  package static func potrf(_ n: Int, _ a: UnsafeMutablePointer<Float>) -> Int {
    Int(LAPACKE_spotrf(columnMajor, lower, Int32(n), a, Int32(n)))
  }

  package static func syevd(_ n: Int, _ a: UnsafeMutablePointer<Float>, _ values: UnsafeMutablePointer<Float>) -> Int {
    Int(LAPACKE_ssyevd(columnMajor, CChar(UInt8(ascii: "N")), upper, Int32(n), a, Int32(n), values))
  }

  package static func gelqf(
    _ n: Int, _ m: Int, _ a: UnsafeMutablePointer<Float>, _ tau: UnsafeMutablePointer<Float>
  ) -> Int {
    Int(LAPACKE_sgelqf(columnMajor, Int32(n), Int32(m), a, Int32(n), tau))
  }

  package static func orglq(_ n: Int, _ m: Int, _ a: UnsafeMutablePointer<Float>, _ tau: UnsafePointer<Float>) -> Int {
    Int(LAPACKE_sorglq(columnMajor, Int32(n), Int32(m), Int32(n), a, Int32(n), tau))
  }

  package static func gesdd(
    _ job: CChar, _ m: Int, _ n: Int, _ a: UnsafeMutablePointer<Float>, _ s: UnsafeMutablePointer<Float>,
    _ u: UnsafeMutablePointer<Float>, _ vt: UnsafeMutablePointer<Float>
  ) -> Int {
    Int(LAPACKE_sgesdd(columnMajor, job, Int32(m), Int32(n), a, Int32(m), s, u, Int32(m), vt, Int32(n)))
  }

  package static func gesvd(
    _ job: CChar, _ m: Int, _ n: Int, _ a: UnsafeMutablePointer<Float>, _ s: UnsafeMutablePointer<Float>,
    _ u: UnsafeMutablePointer<Float>, _ vt: UnsafeMutablePointer<Float>
  ) -> Int {
    var superdiagonal = [Float](repeating: 0, count: Swift.max(n, 1))
    return Int(
      LAPACKE_sgesvd(
        columnMajor, job, job, Int32(m), Int32(n), a, Int32(m), s, u, Int32(m), vt, Int32(n), &superdiagonal))
  }
}
