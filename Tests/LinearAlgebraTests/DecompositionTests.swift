import LinearAlgebra
import Testing

/// Shapes that reach every branch: square, tall, wide, single rows and columns, empty.
private let shapes = [(1, 1), (1, 7), (7, 1), (5, 5), (40, 9), (9, 40), (130, 130), (0, 4), (4, 0)]

@Suite struct DecompositionTests {
  private func checkSVD<S: Scalar>(_ type: S.Type, _ rows: Int, _ columns: Int, scale: S) throws {
    var random = SeededGenerator(seed: UInt64(rows * 1000 + columns))
    let a: Matrix<S> = random.normalMatrix(rows: rows, columns: columns).scaled(by: scale)
    let svd = try singularValueDecomposition(of: a)
    let q = a.smallerDimension
    #expect(svd.values.count == q)
    #expect(zip(svd.values, svd.values.dropFirst()).allSatisfy { $0 >= $1 } && svd.values.allSatisfy { $0 >= 0 })
    guard q > 0 else { return }
    var scaledU = svd.u!
    for i in 0..<rows { for j in 0..<q { scaledU[i, j] *= svd.values[j] } }
    let residual = try (product(scaledU, svd.vTransposed!) - a).frobeniusNorm()
    let bound = 10 * Double(S.unitRoundoff) * Double(max(rows, columns)) * (try a.frobeniusNorm())
    #expect(residual <= bound)
    for basis in [svd.u!.transposedCopy(), svd.vTransposed!] {
      let defect = try (product(basis.view, basis.transposed) - .identity(q)).frobeniusNorm()
      #expect(defect <= 10 * Double(S.unitRoundoff) * Double(max(rows, columns)))
    }
    let values = try singularValues(of: a)
    for (x, y) in zip(values, svd.values) {
      #expect(abs(x - y) <= 10 * S.unitRoundoff * S(max(rows, columns)) * svd.values[0])
    }
  }

  @Test(arguments: shapes) func singularValueDecompositionReconstructs(_ rows: Int, _ columns: Int) throws {
    for scale in [1, 1e-30, 1e30] { try checkSVD(Double.self, rows, columns, scale: scale) }
    for scale: Float in [1, 1e-30, 1e30] { try checkSVD(Float.self, rows, columns, scale: scale) }
  }

  private func checkQR<S: Scalar>(_ qr: QRFactorization<S>, of a: Matrix<S>) throws {
    let tolerance = 20 * Double(S.unitRoundoff) * Double(a.rows)
    #expect(try (product(qr.q, qr.r) - a).frobeniusNorm() <= tolerance * (try a.frobeniusNorm()))
    #expect(try (product(qr.q.transposed, qr.q.view) - .identity(a.columns)).frobeniusNorm() <= tolerance)
    for i in 0..<a.columns { for j in 0..<i { #expect(qr.r[i, j] == 0) } }
  }

  @Test(arguments: [(1, 1), (9, 1), (6, 6), (200, 16), (5, 0)]) func qrReconstructs(_ rows: Int, _ columns: Int) throws
  {
    var random = SeededGenerator(seed: 17)
    let a: Matrix<Double> = random.normalMatrix(rows: rows, columns: columns)
    try checkQR(householderQR(of: a), of: a)
    try checkQR(qr(of: a), of: a)
    let b: Matrix<Float> = random.normalMatrix(rows: rows, columns: columns)
    try checkQR(householderQR(of: b), of: b)
    try checkQR(qr(of: b), of: b)
  }

  @Test func choleskyQR2IsTakenWhenConditionedAndLeftWhenNot() throws {
    var random = SeededGenerator(seed: 19)
    var a: Matrix<Double> = random.normalMatrix(rows: 60, columns: 5)
    #expect(try qr(of: a).route == .cholesky2)
    // A column that nearly repeats another one: κ about 1e9.
    for i in 0..<60 { a[i, 4] = a[i, 0] + 1e-9 * a[i, 4] }
    let factorization = try qr(of: a)
    #expect(factorization.route == .householder)
    try checkQR(factorization, of: a)
    #expect(try choleskyQR2(of: a) == nil)
    // κ about 1e6 is inside its domain, and its Q is then orthonormal to rounding.
    for i in 0..<60 { a[i, 4] = a[i, 0] + 1e-5 * (a[i, 4] - a[i, 0]) * 1e9 }
    if let fast = try choleskyQR2(of: a) { try checkQR(fast, of: a) }
  }

  @Test func nonFiniteEntriesAreFoundFirst() throws {
    var a = Matrix<Double>(rows: 3, columns: 4, repeating: 1)
    a[1, 2] = .infinity
    a[2, 0] = .nan
    let expected = LinearAlgebraError.nonFinite(count: 2, of: 12, first: 6)
    #expect(throws: expected) { try singularValues(of: a) }
    #expect(throws: expected) { try householderQR(of: a.tall) }
    #expect(throws: expected) { try a.frobeniusNorm() }
    #expect(expected.description == "2 of 12 entries are NaN or infinite (the first at index 6)")
  }

  @Test func normsDoNotOverflowOrVanish() throws {
    for scale in [1e-300, 1e-160, 1.0, 1e160, 1e300] {
      let a = Matrix<Double>(rows: 2, columns: 2, elements: [3 * scale, 0, 0, 4 * scale])
      #expect(abs(try a.frobeniusNorm() / scale - 5) < 1e-14)
      #expect(abs(try a.columnNorms()[1] / scale - 4) < 1e-14)
    }
    let tiny = Matrix<Float>(rows: 1, columns: 2, elements: [0x3p-140, 0x4p-140])
    #expect(try tiny.frobeniusNorm() == 0x5p-140)
    #expect(try Matrix<Double>(rows: 0, columns: 3).frobeniusNorm() == 0)
  }

  @Test func viewsShowRectanglesAndTransposes() {
    let a = Matrix<Double>(rows: 3, columns: 4, elements: (0..<12).map(Double.init))
    let corner = a.view[1..<3, 2..<4]
    #expect(Matrix(corner).elements == [6, 7, 10, 11])
    #expect(Matrix(corner.transposed).elements == [6, 10, 7, 11])
    #expect(Matrix(a.transposed[2..<4, 1..<3]).elements == [6, 10, 7, 11])
    let direct = product(Matrix(corner), Matrix(a.view[0..<2, 0..<3]))
    #expect(product(corner, a.view[0..<2, 0..<3]) == direct)
    #expect(product(corner.transposed.transposed, a.transposed[0..<3, 0..<2].transposed) == direct)
  }

  @Test func randomNumbersAreThoseOfTheSeed() {
    // xoshiro256** from the state that SplitMix64 makes of seed 42, by an independent implementation.
    var generator = SeededGenerator(seed: 42)
    #expect(generator.next() == 0x1578_0B2E_0C2E_C716)
    #expect(generator.next() == 0x6104_D986_6D11_3A7E)
    var other = SeededGenerator(seed: 43)
    let sample = (0..<20_000).map { _ in other.normal() }
    let mean = sample.reduce(0, +) / 20_000
    let variance = sample.reduce(0) { $0 + $1 * $1 } / 20_000
    // Five standard errors of the mean (1/√n) and of the variance (√(2/n)).
    #expect(abs(mean) < 5 / 141.4 && abs(variance - 1) < 5 * 0.01)
  }
}

extension Matrix where S == Double {
  /// The same entries in a single column, which keeps their indices.
  fileprivate var tall: Matrix { Matrix(rows: elements.count, columns: 1, elements: elements) }
}
