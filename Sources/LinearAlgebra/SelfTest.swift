/// Checks the installed BLAS and LAPACK against plain Swift, so that a broken or miscompiled library is told from a wrong result.
package enum BLASSelfTest {
  /// One comparison.
  package struct Check: Equatable, Sendable {
    package var name: String
    /// The largest error, in units of the bound.
    package var error: Double
    package var passed: Bool { error <= 1 }
  }

  /// Matrix products and singular values of seeded random matrices, in both scalar types, against loops and a one-sided Jacobi.
  package static func run() -> [Check] {
    [
      Check(name: "gemm Float32", error: productError(Float.self)),
      Check(name: "gemm Float64", error: productError(Double.self)),
      Check(name: "SVD Float32", error: singularValueError(Float.self)),
      Check(name: "SVD Float64", error: singularValueError(Double.self)),
    ]
  }

  private static let (rows, inner, columns) = (67, 129, 53)

  /// |gemm − loops| over the bound k·u·Σ|a||b| of a dot product of length k (Higham 2002, section 3.1), for both results.
  private static func productError<S: Scalar>(_ type: S.Type) -> Double {
    var random = SeededGenerator(seed: 1)
    let a: Matrix<S> = random.normalMatrix(rows: rows, columns: inner)
    let b: Matrix<S> = random.normalMatrix(rows: inner, columns: columns)
    let fast = product(a, b)
    var worst = 0.0
    for i in 0..<rows {
      for j in 0..<columns {
        var sum = 0.0
        var magnitude = 0.0
        for k in 0..<inner {
          let term = Double(a[i, k]) * Double(b[k, j])
          sum += term
          magnitude += abs(term)
        }
        let bound = 2 * Double(inner) * Double(S.unitRoundoff) * magnitude
        worst = max(worst, abs(Double(fast[i, j]) - sum) / bound)
      }
    }
    return worst
  }

  /// |LAPACK − Jacobi| over 8·max(rows, columns)·u·σ₁.
  private static func singularValueError<S: Scalar>(_ type: S.Type) -> Double {
    var random = SeededGenerator(seed: 2)
    let a: Matrix<S> = random.normalMatrix(rows: rows, columns: columns)
    guard let fast = try? singularValues(of: a) else { return .infinity }
    let exact = jacobiSingularValues(of: Matrix(rows: rows, columns: columns, elements: a.elements.map(Double.init)))
    let bound = 8 * Double(rows) * Double(S.unitRoundoff) * exact[0]
    return zip(fast, exact).reduce(0) { max($0, abs(Double($1.0) - $1.1) / bound) }
  }

  /// Singular values by one-sided Jacobi rotations of the columns (Hestenes 1958), in plain Swift.
  static func jacobiSingularValues(of a: Matrix<Double>) -> [Double] {
    var columns = (0..<a.columns).map { j in (0..<a.rows).map { a[$0, j] } }
    func dot(_ x: [Double], _ y: [Double]) -> Double { zip(x, y).reduce(0) { $0 + $1.0 * $1.1 } }
    var rotated = true
    while rotated {
      rotated = false
      for p in columns.indices {
        for q in columns.indices.dropFirst(p + 1) {
          let (pp, qq, pq) = (dot(columns[p], columns[p]), dot(columns[q], columns[q]), dot(columns[p], columns[q]))
          guard abs(pq) > 64 * Double.unitRoundoff * (pp * qq).squareRoot() else { continue }
          rotated = true
          let zeta = (qq - pp) / (2 * pq)
          let t = (zeta < 0 ? -1 : 1) / (abs(zeta) + (1 + zeta * zeta).squareRoot())
          let c = 1 / (1 + t * t).squareRoot()
          let (x, y) = (columns[p], columns[q])
          for i in x.indices {
            columns[p][i] = c * (x[i] - t * y[i])
            columns[q][i] = c * (y[i] + t * x[i])
          }
        }
      }
    }
    return columns.map { dot($0, $0).squareRoot() }.sorted(by: >)
  }
}
