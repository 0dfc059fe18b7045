import Foundation
import LinearAlgebra
import Testing

/// The kernels made for vectors beside the plain loops, at sizes within, at and beyond whole vectors.
///
/// Attention's are compared within a whole decoder.
@Suite struct TransformerKernelTests {
  private static let widths = [1, 3, 8, 17, 64, 101]
  private static let rows = 5

  /// Runs the same on both, with `count` numbers to write into, and holds them together.
  private func compare<S: TransformerScalar>(
    _ name: String, sum terms: Int, _ start: [S], _ body: (TransformerKernels<S>, UnsafeMutablePointer<S>) -> Void
  ) {
    var (fast, plain) = (start, start)
    body(S.kernels, &fast)
    body(S.plainKernels, &plain)
    // Sums of so many terms in another order, and some ten roundings of functions of them.
    let tolerance = Double(terms + 10) * 2 * Double(S.unitRoundoff)
    let scale = plain.map { abs(Double($0)) }.max() ?? 0
    #expect(fast.count == plain.count && scale > 0)
    for (a, b) in zip(fast, plain) { #expect(abs(Double(a - b)) <= tolerance * scale, "\(name), \(S.self), \(terms)") }
  }

  private func numbers<S: TransformerScalar>(_ count: Int, seed: UInt64) -> [S] {
    var random = SeededGenerator(seed: seed)
    return (0..<count).map { _ in S(random.normal()) }
  }

  private func checkRows<S: TransformerScalar>(_ n: Int, as: S.Type) {
    let m = Self.rows
    let (x, y): ([S], [S]) = (numbers(m * n, seed: 1), numbers(m * n, seed: 2))
    let (gain, perRow): ([S], [S]) = (numbers(n, seed: 3), numbers(m, seed: 4))
    let (start, zeros) = ([S](numbers(m * n + n, seed: 5)), [S](repeating: 0, count: m * n + m))
    compare("rmsNorm", sum: n, zeros) { $0.rmsNorm(x, gain, 1e-6, m, n, $1, $1 + m * n) }
    compare("rmsNormGradient", sum: n, start) { $0.rmsNormGradient(y, x, gain, perRow, m, n, $1, $1 + m * n) }
    compare("addBias", sum: 1, x) { $0.addBias($1, gain, m, n) }
    compare("columnSums", sum: m, gain) { $0.columnSums(x, m, n, $1) }
    compare("rowNorms", sum: n, perRow) { $0.rowNorms(x, m, n, $1) }
    compare("rowDots", sum: n, perRow) { $0.rowDots(x, y, m, n, $1) }
    compare("scaleRows", sum: 1, x) { $0.scaleRows(x, perRow, m, n, $1) }
    compare("accumulate", sum: 1, y) { $0.accumulate(x, m * n, $1) }
    compare("logSumExp", sum: n, zeros) { $0.logSumExp(x, m, n, $1, $1 + m) }
    compare("weightedSoftmax", sum: 1, x) { $0.weightedSoftmax($1, m, n, perRow, perRow) }
  }

  private func checkGatesAndTurns<S: TransformerScalar>(_ n: Int, as: S.Type) {
    let m = Self.rows
    let (gateUp, dy): ([S], [S]) = (numbers(2 * m * n, seed: 6), numbers(m * n, seed: 7))
    compare("swiglu", sum: 1, dy) { $0.swiglu(gateUp, m, n, $1) }
    compare("swigluGradient", sum: 1, gateUp) { $0.swigluGradient(gateUp, dy, m, n, $1) }
    let angles = (0..<m * n).map { Double($0) * 0.37 }
    let (cosines, sines) = (angles.map { S(cos($0)) }, angles.map { S(sin($0)) })
    // One head of size 2n a row, each row at a position of its own.
    for direction: S in [1, -1] {
      compare("rotate", sum: 1, gateUp) {
        $0.rotate($1, 2 * n, m, 1, 2 * n, (0..<m).reversed().map { Int32($0) }, cosines, sines, direction)
      }
    }
  }

  private func checkAdamW<S: TransformerScalar>(_ n: Int, as: S.Type) {
    let gradient: [S] = numbers(n, seed: 8)
    let state = numbers(2 * n, seed: 9) + [S](numbers(n, seed: 10)).map { $0 * $0 }
    compare("adamw", sum: 1, state) {
      $0.adamw($1, gradient, $1 + n, $1 + 2 * n, n, 0.999, 0.9, 0.99, 1e-2, 0.4, 1e-8)
    }
  }

  @Test(arguments: widths) func vectorsAndPlainLoopsAgree(width: Int) {
    checkRows(width, as: Float.self)
    checkRows(width, as: Double.self)
    checkGatesAndTurns(width, as: Float.self)
    checkGatesAndTurns(width, as: Double.self)
    checkAdamW(width, as: Float.self)
    checkAdamW(width, as: Double.self)
  }

  /// The same index, wherever in a cell of the distribution the number falls.
  private func checkDraws<S: TransformerScalar>(_ n: Int, as: S.Type) {
    let m = Self.rows
    let (x, normalizers): ([S], [S]) = (numbers(m * n, seed: 11), numbers(m, seed: 12))
    var random = SeededGenerator(seed: 13)
    let uniforms = (0..<m).map { _ in random.uniform() }
    func drawn(_ kernels: TransformerKernels<S>) -> ([Int32], [S], [Int32], [S]) {
      var (indices, values) = ([Int32](repeating: -1, count: m), [S](repeating: 0, count: m))
      var (largest, most) = (indices, values)
      kernels.draw(x, m, n, normalizers, uniforms, &indices, &values)
      kernels.drawLargest(x, m, n, normalizers, &largest, &most)
      return (indices, values, largest, most)
    }
    #expect(drawn(S.kernels) == drawn(S.plainKernels))
  }

  @Test(arguments: widths) func theSameTokensAreDrawn(width: Int) {
    checkDraws(width, as: Float.self)
    checkDraws(width, as: Double.self)
  }
}
