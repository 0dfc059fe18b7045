internal import CLAPACKE
internal import COpenBLAS
import LinearAlgebra
import Measurement
import Spectra
import Weights

/// The stages of a basis one by one, each a direct call of BLAS or LAPACK on weights in memory.
struct BasisStages {
  private let weights: [Matrix<Double>]

  init(base path: String) throws {
    let base = try BaseModel(path: path)
    weights = try base.tensorNames.map { name in
      let (rows, columns, values) = try base.readMatrix(name, as: Double.self)
      return Matrix(rows: rows, columns: columns, elements: values)
    }
  }

  /// The processor's seconds of all stages of all weights, and which share each has.
  func measure() throws -> Sample {
    var stages: [(name: String, seconds: Double)] = []
    for weight in weights {
      for stage in try Self.stages(of: weight) {
        if let index = stages.firstIndex(where: { $0.name == stage.name }) {
          stages[index].seconds += stage.seconds
        } else {
          stages.append(stage)
        }
      }
    }
    let parts = stages.map { "\($0.name) \(Spread.text($0.seconds))" }
    return Sample(value: stages.reduce(0) { $0 + $1.seconds }, said: parts.joined(separator: ", "))
  }

  private static func stages(of w: Matrix<Double>) throws -> [(name: String, seconds: Double)] {
    let n = w.smallerDimension
    let wanted = KeptVectors(directions: SpectralSeries.directions)
    let kept = wanted.counts(rows: w.rows, columns: w.columns)
    let keepsSide = wanted.keepsWholeSide(rows: w.rows, columns: w.columns)
    let ends = [n - kept.leading..<n, 0..<kept.trailing].filter { !$0.isEmpty }
    var (a, tau) = ([Double](repeating: 0, count: n * n), [Double](repeating: 0, count: n))
    var (d, e) = (tau, tau)
    var images = [Double](repeating: 0, count: (kept.leading + kept.trailing) * w.largerDimension)
    var z: [[Double]] = []
    var stages: [(name: String, seconds: Double)] = []
    func time(_ name: String, _ work: () throws -> Void) rethrows {
      stages.append((name, try Clock.processor.time(work).seconds))
    }
    time("syrk") { gram(of: w, &a) }
    if w.rows != w.columns, !keepsSide {
      var r = a
      time("potrf") { LAPACKE_dpotrf(columnMajor, lower, Int32(n), &r, Int32(n)) }
    }
    try time("sytrd") { try check(LAPACKE_dsytrd(columnMajor, lower, Int32(n), &a, Int32(n), &d, &e, &tau), "dsytrd") }
    var values = (d, e)
    try time("sterf") { try check(LAPACKE_dsterf(Int32(n), &values.0, &values.1), "dsterf") }
    try time("stemr") {
      for range in keepsSide ? [0..<n] : ends { z.append(try vectors(range, of: (d, e))) }
    }
    try time("ormtr") { for index in z.indices { try bringBack(&z[index], a, tau) } }
    if keepsSide { z = ends.map { range in Array(z[0][range.lowerBound * n..<range.upperBound * n]) } }
    time("U = W·V/σ") { multiply(w, z, &images) }
    return stages
  }

  private static func gram(of w: Matrix<Double>, _ a: inout [Double]) {
    let isTall = w.rows >= w.columns
    let n = blasint(w.smallerDimension)
    // Row-major upper is LAPACK's lower.
    cblas_dsyrk(
      CblasRowMajor, CblasUpper, isTall ? CblasTrans : CblasNoTrans, n, blasint(w.largerDimension), 1, w.elements,
      blasint(w.columns), 0, &a, n)
  }

  /// The eigenvectors of the tridiagonal matrix for eigenvalues of a range, ascending, one after the other.
  private static func vectors(
    _ range: Range<Int>, of matrix: (d: [Double], e: [Double])
  ) throws(BenchmarkError) -> [Double] {
    var (d, e) = matrix
    let n = d.count
    var (found, tryRelative) = (Int32(0), Int32(1))
    var (values, z) = ([Double](repeating: 0, count: n), [Double](repeating: 0, count: n * range.count))
    var support = [Int32](repeating: 0, count: 2 * range.count)
    let info = LAPACKE_dstemr(
      columnMajor, CChar(UInt8(ascii: "V")), CChar(UInt8(ascii: range.count == n ? "A" : "I")), Int32(n), &d, &e, 0, 0,
      Int32(range.lowerBound + 1), Int32(range.upperBound), &found, &values, &z, Int32(n), Int32(range.count),
      &support, &tryRelative)
    try check(info, "dstemr")
    return z
  }

  private static func bringBack(_ z: inout [Double], _ reflectors: [Double], _ tau: [Double]) throws(BenchmarkError) {
    let n = tau.count
    let info = LAPACKE_dormtr(
      columnMajor, CChar(UInt8(ascii: "L")), lower, CChar(UInt8(ascii: "N")), Int32(n), Int32(z.count / n), reflectors,
      Int32(n), tau, &z, Int32(n))
    try check(info, "dormtr")
  }

  /// V·Wᵀ of a tall W, V·W of a wide one, with vectors as rows, each brought to length 1.
  private static func multiply(_ w: Matrix<Double>, _ z: [[Double]], _ images: inout [Double]) {
    let isTall = w.rows >= w.columns
    let (n, long) = (w.smallerDimension, w.largerDimension)
    let vectors = z.flatMap { $0 }
    cblas_dgemm(
      CblasRowMajor, CblasNoTrans, isTall ? CblasTrans : CblasNoTrans, blasint(vectors.count / n), blasint(long),
      blasint(n), 1, vectors, blasint(n), w.elements, blasint(w.columns), 0, &images, blasint(long))
    images.withUnsafeMutableBufferPointer { images in
      for row in 0..<vectors.count / n {
        let start = images.baseAddress! + row * long
        cblas_dscal(blasint(long), 1 / cblas_dnrm2(blasint(long), start, 1), start, 1)
      }
    }
  }

  private static func check(_ info: Int32, _ routine: String) throws(BenchmarkError) {
    guard info == 0 else { throw BenchmarkError("\(routine): expected success, found \(info)") }
  }
}

private let columnMajor = Int32(LAPACK_COL_MAJOR)
private let lower = CChar(UInt8(ascii: "L"))
