internal import CKernels
internal import CLAPACKE

/// A matrix of double-double numbers, head + tail, about 106 bits each (Dekker 1971), row by row.
///
/// It exists for one purpose: the triangular factor of a matrix whose conditioning would eat the digits of Float64.
struct ExtendedMatrix {
  let rows: Int
  let columns: Int
  var head: [Double]
  var tail: [Double]

  init(_ a: Matrix<Double>) {
    (rows, columns, head) = (a.rows, a.columns, a.elements)
    tail = Array(repeating: 0, count: head.count)
  }

  init(rows: Int, columns: Int) {
    (self.rows, self.columns) = (rows, columns)
    head = Array(repeating: 0, count: rows * columns)
    tail = head
  }

  /// The upper triangular factor R of the QR factorisation, by modified Gram–Schmidt, columns taken in their order or, with
  /// `pivoting`, largest remaining norm first (then R belongs to a·P for some permutation P, whose singular values are a's).
  ///
  /// R is that of a matrix within c·2⁻¹⁰⁰·‖a_j‖ of every column a_j, for a modest c. Cost about 20·rows·columns² flop.
  consuming func triangularFactor(pivoting: Bool = false) -> ExtendedMatrix {
    var r = ExtendedMatrix(rows: columns, columns: columns)
    var work = [Double](repeating: 0, count: 2 * columns)
    for pivot in 0..<columns {
      if pivoting { bringLargestColumn(to: pivot, r: &r) }
      orthogonalise(against: pivot, r: &r, work: &work)
    }
    return r
  }

  private mutating func orthogonalise(against pivot: Int, r: inout ExtendedMatrix, work: inout [Double]) {
    let (rows, columns) = (rows, columns)
    r.head.withUnsafeMutableBufferPointer { rHead in
      r.tail.withUnsafeMutableBufferPointer { rTail in
        extended_gram_schmidt_step(
          &head, &tail, rows, columns, pivot, rHead.baseAddress! + pivot * columns,
          rTail.baseAddress! + pivot * columns, &work)
      }
    }
  }

  private mutating func bringLargestColumn(to pivot: Int, r: inout ExtendedMatrix) {
    var squares = [Double](repeating: 0, count: columns)
    for i in 0..<rows {
      for j in pivot..<columns { squares[j] += head[i * columns + j] * head[i * columns + j] }
    }
    guard let largest = (pivot..<columns).max(by: { squares[$0] < squares[$1] }), largest != pivot else { return }
    swapColumns(pivot, largest)
    r.swapColumns(pivot, largest)
  }

  private mutating func swapColumns(_ a: Int, _ b: Int) {
    for i in 0..<rows {
      head.swapAt(i * columns + a, i * columns + b)
      tail.swapAt(i * columns + a, i * columns + b)
    }
  }

  /// a · bᵀ in double-double arithmetic, for small matrices.
  static func product(_ a: ExtendedMatrix, byTransposeOf b: ExtendedMatrix) -> ExtendedMatrix {
    precondition(a.columns == b.columns, "the inner dimensions of a product must agree")
    var c = ExtendedMatrix(rows: a.rows, columns: b.rows)
    for i in 0..<a.rows {
      for j in 0..<b.rows {
        var sum = DoubleDouble(head: 0, tail: 0)
        for k in 0..<a.columns { sum += a[i, k] * b[j, k] }
        (c.head[i * c.columns + j], c.tail[i * c.columns + j]) = (sum.head, sum.tail)
      }
    }
    return c
  }

  private subscript(i: Int, j: Int) -> DoubleDouble {
    DoubleDouble(head: head[i * columns + j], tail: tail[i * columns + j])
  }

  /// Singular values, descending, each with a relative error near 2⁻⁵³ times the conditioning that is left once the rows of
  /// the pivoted triangular factor are scaled alike (Demmel and Veselić 1992): small values are as accurate as large ones.
  consuming func singularValues() throws(LinearAlgebraError) -> [Double] {
    let n = columns
    let r = triangularFactor(pivoting: true)
    // One-sided Jacobi works on columns. Read by columns, the row-major R is Rᵀ: its columns are the graded rows of R.
    var work = zip(r.head, r.tail).map { $0 + $1 }
    var values = [Double](repeating: 0, count: n)
    var v = [0.0]
    var stat = [Double](repeating: 0, count: 6)
    let info = LAPACKE_dgesvj(
      Int32(LAPACK_COL_MAJOR), CChar(UInt8(ascii: "G")), CChar(UInt8(ascii: "N")), CChar(UInt8(ascii: "N")), Int32(n),
      Int32(n), &work, Int32(n), &values, 0, &v, 1, &stat)
    precondition(info >= 0, "gesvj refused its argument \(-info)")
    guard info == 0 else { throw .notConverged(routine: "gesvj") }
    return values.map { $0 * stat[0] }.sorted(by: >)
  }
}

/// One number of an `ExtendedMatrix`.
private struct DoubleDouble {
  var head: Double
  var tail: Double

  static func * (a: DoubleDouble, b: DoubleDouble) -> DoubleDouble {
    let p = a.head * b.head
    let e = (-p).addingProduct(a.head, b.head) + (a.head * b.tail + a.tail * b.head)
    return DoubleDouble(normalising: p, e)
  }

  static func += (a: inout DoubleDouble, b: DoubleDouble) {
    let (s, e) = exactSum(a.head, b.head)
    let (t, f) = exactSum(a.tail, b.tail)
    let first = DoubleDouble(normalising: s, e + t)
    a = DoubleDouble(normalising: first.head, first.tail + f)
  }

  init(head: Double, tail: Double) {
    (self.head, self.tail) = (head, tail)
  }

  /// head + tail for |large| ≥ |small| (Dekker's fast two-sum).
  private init(normalising large: Double, _ small: Double) {
    head = large + small
    tail = small - (head - large)
  }

  /// Knuth's two-sum: the rounded sum and its rounding error.
  private static func exactSum(_ a: Double, _ b: Double) -> (Double, Double) {
    let s = a + b
    let c = s - a
    return (s, (a - (s - c)) + (b - c))
  }
}
