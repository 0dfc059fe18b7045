import LinearAlgebra
import Testing

/// Products with a matrix that was laid out beforehand.
@Suite struct PackedProductTests {
  private static let shapes: [(rows: Int, columns: Int, inner: Int)] = [
    (1, 1, 1), (3, 5, 2), (4, 31, 17), (7, 32, 33), (8, 33, 64), (9, 64, 65), (13, 29, 32), (63, 256, 128),
    (64, 128, 384), (65, 100, 130), (131, 47, 70),
  ]

  /// x·wᵀ by the kernels, for rows of x and of the result that are longer than they need be.
  private func packed<S: TransformerScalar>(
    _ x: Matrix<S>, _ w: Matrix<S>, alpha: S, addingTo start: Matrix<S>? = nil
  ) -> Matrix<S> {
    let (m, n, k, margin) = (x.rows, w.rows, x.columns, 3)
    let width = S.kernels.panelRows()
    var panels = [S](repeating: .nan, count: (n + width - 1) / width * width * k)
    S.kernels.packPanels(w.elements, n, k, &panels)
    let wide = Matrix.sideBySide([x, Matrix(rows: m, columns: margin)])
    var y = Matrix.sideBySide([start ?? Matrix(rows: m, columns: n), Matrix(rows: m, columns: margin)])
    S.kernels.packedProduct(
      wide.elements, k + margin, m, panels, n, k, alpha, start == nil ? 0 : 1, &y.elements, n + margin)
    #expect((0..<m).allSatisfy { row in (0..<margin).allSatisfy { y[row, n + $0] == 0 } }, "it wrote beyond its rows")
    return Matrix(
      rows: m, columns: n, elements: (0..<m).flatMap { y.elements[$0 * (n + margin)..<$0 * (n + margin) + n] })
  }

  private func check<S: TransformerScalar>(as: S.Type) {
    var random = SeededGenerator(seed: 3)
    for shape in Self.shapes {
      let x: Matrix<S> = random.normalMatrix(rows: shape.rows, columns: shape.inner)
      let w: Matrix<S> = random.normalMatrix(rows: shape.columns, columns: shape.inner)
      let start: Matrix<S> = random.normalMatrix(rows: shape.rows, columns: shape.columns)
      let (plain, sum) = (packed(x, w, alpha: 1), packed(x, w, alpha: -0.75, addingTo: start))
      for i in 0..<shape.rows {
        for j in 0..<shape.columns {
          let terms = (0..<shape.inner).map { Double(x[i, $0]) * Double(w[j, $0]) }
          let (exact, magnitude) = (terms.reduce(0, +), terms.reduce(0) { $0 + abs($1) })
          // Either sum may be off by the bound, and adding rounds twice more.
          let bound = 2 * Double(shape.inner) * Double(S.unitRoundoff) * magnitude
          #expect(abs(Double(plain[i, j]) - exact) <= bound)
          let added = Double(start[i, j]) - 0.75 * exact
          #expect(abs(Double(sum[i, j]) - added) <= bound + 2 * Double(S.unitRoundoff) * (abs(added) + magnitude))
        }
      }
    }
  }

  @Test(.enabled(if: Float.kernels.panelRows() > 0)) func agreesWithSumsOfProducts() {
    check(as: Float.self)
    check(as: Double.self)
  }

  /// What a row gives does not depend on the rows beside it, so that a completion's does not on those drawn with it.
  @Test(.enabled(if: Float.kernels.panelRows() > 0)) func aRowDependsOnItselfAlone() {
    var random = SeededGenerator(seed: 4)
    let w: Matrix<Float> = random.normalMatrix(rows: 70, columns: 50)
    let x: Matrix<Float> = random.normalMatrix(rows: 71, columns: 50)
    let together = packed(x, w, alpha: 1)
    for count in [1, 2, 5, 8, 13, 64] {
      let part = Matrix(rows: count, columns: 50, elements: Array(x.elements[7 * 50..<(7 + count) * 50]))
      #expect(packed(part, w, alpha: 1).elements == Array(together.elements[7 * 70..<(7 + count) * 70]))
    }
  }
}
