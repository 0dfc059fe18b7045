import Adapters
internal import COpenBLAS
import Foundation
import LinearAlgebra
import Spectra

/// The products of a series' updates and nothing else, by calls of CBLAS: BᵀB, A·Aᵀ, and both factors with the ends of both sides. No
/// program that gets its numbers from them can be faster.
final class SpectralProducts {
  private let series: SpectralSeries
  /// Long enough for every product; what is in it is of no interest.
  private var result: [Double] = []

  init(of series: SpectralSeries) { self.series = series }

  /// The processor's seconds of the products; that files are read and widened beforehand does not count.
  func measure() throws -> Sample {
    var (seconds, flops) = (0.0, 0)
    for checkpoint in series.checkpoints {
      try series.forEachModule(of: checkpoint) { factors, ends in
        let products = Self.products(of: factors.product, ends)
        seconds += Clock.processor.time { products.forEach(compute) }.seconds
        flops += products.reduce(0) { $0 + $1.flops }
      }
    }
    let rate = String(format: "%.1f Gflop/s", Double(flops) / seconds * 1e-9)
    return Sample(value: seconds, said: "products of \(series.checkpoints.count) checkpoints, \(rate)")
  }

  /// a·bᵀ, or aᵀ·b where both are tall.
  private struct Product {
    let a: Matrix<Double>
    let b: Matrix<Double>
    let isTall: Bool

    var flops: Int { 2 * a.rows * a.columns * (isTall ? b.columns : b.rows) }
  }

  private static func products(of update: LowRankProduct, _ ends: EndFrames) -> [Product] {
    let (left, right) = (Matrix(ends.left.transposed), Matrix(ends.right))
    return [
      Product(a: update.left, b: update.left, isTall: true), Product(a: update.right, b: update.right, isTall: false),
      Product(a: left, b: update.left, isTall: true), Product(a: right, b: update.right, isTall: false),
    ]
  }

  private func compute(_ product: Product) {
    let (a, b, isTall) = (product.a, product.b, product.isTall)
    let (m, n, inner) = isTall ? (a.columns, b.columns, a.rows) : (a.rows, b.rows, a.columns)
    if result.count < m * n { result = [Double](repeating: 0, count: m * n) }
    cblas_dgemm(
      CblasRowMajor, isTall ? CblasTrans : CblasNoTrans, isTall ? CblasNoTrans : CblasTrans, blasint(m), blasint(n),
      blasint(inner), 1, a.elements, blasint(a.columns), b.elements, blasint(b.columns), 0, &result, blasint(n))
  }
}
