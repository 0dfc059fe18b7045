import Foundation
import LinearAlgebra
import Spectra
import TestSupport

/// Matrices with a spectrum that is known, of seeded random directions.
enum Samples {
  static func orthonormal(_ rows: Int, _ columns: Int, _ random: inout SeededGenerator) throws -> Matrix<Double> {
    _ = oneBLASThread
    return try householderQR(of: random.normalMatrix(rows: rows, columns: columns)).q
  }

  /// rows × columns with these singular values, of which there are at most min(rows, columns).
  static func matrix(
    _ rows: Int, _ columns: Int, values: [Double], _ random: inout SeededGenerator
  ) throws -> Matrix<Double> {
    var left = try orthonormal(rows, values.count, &random)
    left.scaleColumns(by: values)
    return product(left.view, try orthonormal(columns, values.count, &random).transposed)
  }

  /// The hard spectra of the trade, by name.
  static func spectrum(_ name: String, _ count: Int) -> [Double] {
    (0..<count).map { i in
      let x = Double(i)
      switch name {
      case "slow": return pow(1 + x / 12, -0.45) * (1 - 0.98 * x / Double(max(1, count - 1)))
      case "graded": return pow(10, -7 * x / Double(max(1, count - 1)))
      case "clustered": return x < Double(count / 2) ? 1 + 1e-9 * (Double(count) - x) : 0.5 - 1e-10 * x
      case "deficient": return x < Double(2 * count / 3) ? 1 / (1 + x) : 0
      default: return 1 / (1 + x)
      }
    }
  }

  static let spectra = ["slow", "graded", "clustered", "deficient", "falling"]

  /// The first and last singular vectors by LAPACK, as rows.
  static func exact(_ matrix: Matrix<Double>) throws -> (left: Matrix<Double>, values: [Double], right: Matrix<Double>)
  {
    let svd = try singularValueDecomposition(of: matrix)
    return (svd.u!.transposedCopy(), svd.values, svd.vTransposed!)
  }

  static func rows(_ matrix: Matrix<Double>, _ range: Range<Int>) -> MatrixView<Double> {
    matrix.view[range, 0..<matrix.columns]
  }
}

extension DirectedUpdate {
  init(_ product: LowRankProduct) throws { try self.init(of: product, spectrum: UpdateSpectrum(of: product)) }

  init(dense: Matrix<Double>, vectors: Int) throws {
    let spectrum = try UpdateSpectrum(of: dense, laterNorm: 0, rounding: 0)
    try self.init(of: dense, spectrum: spectrum, vectors: vectors)
  }
}
