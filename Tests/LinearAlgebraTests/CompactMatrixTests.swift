import LinearAlgebra
import Testing

/// Products with a matrix that is held in Float32 are those with its entries in Float64.
@Suite struct CompactMatrixTests {
  /// Few vectors, for which there are no kernels, and many; sizes around the borders of their blocks.
  @Test(arguments: [1, 7, 8, 9, 31, 32, 64, 71], [(8, 8), (3, 700), (71, 65), (200, 203), (391, 130)])
  func productsAreThoseOfTheEntries(vectors: Int, shape: (Int, Int)) {
    var random = SeededGenerator(seed: 31)
    let narrow: Matrix<Float> = random.normalMatrix(rows: shape.0, columns: shape.1)
    let (compact, wide) = (CompactMatrix(narrow), Matrix<Double>(narrow))
    let x: Matrix<Double> = random.normalMatrix(rows: vectors, columns: shape.1)
    let y: Matrix<Double> = random.normalMatrix(rows: vectors, columns: shape.0)
    check(compact.images(of: x), product(x.view, wide.transposed), x, wide.transposedCopy())
    check(compact.adjointImages(of: y), product(y, wide), y, wide)
  }

  /// Each sum may be off by n·u·Σ|terms|.
  private func check(_ found: Matrix<Double>, _ expected: Matrix<Double>, _ a: Matrix<Double>, _ b: Matrix<Double>) {
    let magnitudes = product(Self.absolute(a), Self.absolute(b))
    let unit = 2 * Double(a.columns) * Double.unitRoundoff
    #expect(found.rows == expected.rows && found.columns == expected.columns)
    for i in found.elements.indices {
      #expect(abs(found.elements[i] - expected.elements[i]) <= unit * magnitudes.elements[i])
    }
  }

  private static func absolute(_ a: Matrix<Double>) -> Matrix<Double> {
    Matrix(rows: a.rows, columns: a.columns, elements: a.elements.map { abs($0) })
  }
}
