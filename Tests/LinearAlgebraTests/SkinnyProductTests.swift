import LinearAlgebra
import Testing

/// Products with a small result and a long inner dimension, which have kernels of their own.
@Suite struct SkinnyProductTests {
  /// A rectangle of `rows` × `columns` within a wider and taller matrix, or its transpose.
  private func view(
    _ rows: Int, _ columns: Int, isTransposed: Bool, margin: Int, _ random: inout SeededGenerator
  ) -> MatrixView<Double> {
    let (height, width) = isTransposed ? (columns, rows) : (rows, columns)
    let whole: Matrix<Double> = random.normalMatrix(rows: height + 2 * margin, columns: width + 3 * margin)
    let part = whole.view[margin..<margin + height, 2 * margin..<2 * margin + width]
    return isTransposed ? part.transposed : part
  }

  /// The product entry by entry, beside Σ|x·y|.
  private func check(_ a: MatrixView<Double>, _ b: MatrixView<Double>, alpha: Double) {
    let result = product(a, b, alpha: alpha)
    let (x, y) = (Matrix(a).elements, Matrix(b.transposed).elements)
    let inner = a.columns
    var worst = 0.0
    for i in 0..<a.rows {
      for j in 0..<b.columns {
        var (sum, magnitude) = (0.0, 0.0)
        for k in 0..<inner {
          let term = x[i * inner + k] * y[j * inner + k]
          sum += term
          magnitude += abs(term)
        }
        worst = max(worst, abs(result[i, j] - alpha * sum) / (abs(alpha) * magnitude))
      }
    }
    // Either sum may be off by the bound.
    #expect(
      worst <= 2 * Double(inner) * Double.unitRoundoff, "\(a.rows) × \(b.columns), inner dimension \(inner): \(worst)")
  }

  /// Every width from 1 to 70, and 128, on either side; inner dimensions around the borders of blocks and of vectors.
  @Test(arguments: [false, true]) func agreesWithSumsOfProducts(_ isTall: Bool) {
    var random = SeededGenerator(seed: 23)
    let widths = Array(1...70) + [96, 127, 128]
    for (index, rows) in widths.enumerated() {
      for columns in [widths[(index * 29 + 5) % widths.count], 32, 8] {
        let shortest = max(512, 8 * max(rows, columns), 1_000_000 / (rows * columns) + 1)
        let inner = min(shortest, 20_000) + [0, 1, 7, 13, 63, 64, 65][index % 7]
        let margin = index % 3
        let a = view(rows, inner, isTransposed: isTall, margin: margin, &random)
        let b = view(inner, columns, isTransposed: !isTall, margin: (margin + 1) % 3, &random)
        check(a, b, alpha: index % 2 == 0 ? 1 : -2.5)
      }
    }
  }

  @Test(arguments: [false, true]) func gramMatricesAreSymmetric(_ isTall: Bool) {
    var random = SeededGenerator(seed: 29)
    for (index, n) in (Array(8...70) + [127, 128]).enumerated() {
      let inner = max(512, 8 * n, 1_000_000 / (n * n) + 1) + index % 9
      let a = view(n, inner, isTransposed: isTall, margin: index % 2, &random)
      check(a, a.transposed, alpha: 3)
      let gram = product(a, a.transposed)
      #expect(gram == gram.transposedCopy())
    }
  }

  /// Two views that begin with the same element, but are not the same.
  @Test func sharedBeginningsAreNoGramMatrix() {
    var random = SeededGenerator(seed: 31)
    let tall: Matrix<Double> = random.normalMatrix(rows: 4000, columns: 40)
    check(tall.view[0..<4000, 0..<16].transposed, tall.view, alpha: 1)
    check(tall.transposed, tall.view[0..<4000, 0..<24], alpha: 1)
    let wide = tall.transposedCopy()
    check(wide.view[0..<16, 0..<4000], wide.transposed, alpha: 1)
  }

  @Test func layoutsWithoutAKernelAgreeToo() {
    var random = SeededGenerator(seed: 37)
    for areTransposed in [false, true] {
      let a = view(32, 3000, isTransposed: areTransposed, margin: 1, &random)
      let b = view(3000, 16, isTransposed: areTransposed, margin: 2, &random)
      check(a, b, alpha: 1)
    }
  }
}
