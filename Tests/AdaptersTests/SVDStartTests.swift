import Adapters
import LinearAlgebra
import Testing
import Weights

@Suite struct SVDStartTests {
  /// rows × columns with the singular values 1, ½, ¼, …, whose gaps are as large as the values.
  private func weight(rows: Int, columns: Int, _ random: inout SeededGenerator) throws -> Matrix<Double> {
    let q = min(rows, columns)
    let (u, v): (Matrix<Double>, Matrix<Double>) = (
      random.normalMatrix(rows: rows, columns: q), random.normalMatrix(rows: columns, columns: q)
    )
    var scaled = try householderQR(of: u).q
    for i in 0..<rows {
      for j in 0..<q { scaled[i, j] *= Double(sign: .plus, exponent: -j, significand: 1) }
    }
    return product(scaled.view, try householderQR(of: v).q.transposed)
  }

  /// Eckart and Young: the residual of the best rank-r approximation has the singular values σ_{r+1}, σ_{r+2}, …
  @Test(arguments: [(20, 14, 3, 2.0), (14, 20, 5, 0.5), (16, 16, 1, 1.0)])
  func pissaTakesTheBestApproximation(rows: Int, columns: Int, rank: Int, scaling: Double) throws {
    var random = SeededGenerator(seed: 11)
    let weight = try weight(rows: rows, columns: columns, &random)
    var accuracy = 1.0
    let start = try SVDStart.pissa(
      weight: weight, rank: rank, scaling: scaling, format: .float32, accuracy: &accuracy)
    #expect(start.rank == rank && start.scaling == scaling && start.format == .float32)
    let taken = product(start.b, start.a, alpha: scaling)
    let residual = try singularValues(of: weight - taken)
    let all = try singularValues(of: weight)
    let bound = 20 * 20 * 0x1p-53
    for (found, exact) in zip(residual, all.dropFirst(rank)) { #expect(abs(found - exact) < bound) }
    for (found, exact) in zip(try singularValues(of: taken), all.prefix(rank)) { #expect(abs(found - exact) < bound) }
    // u·√q·σ₁/‖W‖ of Float32 is 2e-7 here, and the gap is half of σ_r.
    #expect(accuracy > 1e-8 && accuracy < 1e-6)
  }

  @Test func pissaSharesTheRootsOfTheValuesEvenly() throws {
    var random = SeededGenerator(seed: 12)
    let weight = try weight(rows: 12, columns: 9, &random)
    var accuracy = 0.0
    let start = try SVDStart.pissa(weight: weight, rank: 4, scaling: 4, format: .float32, accuracy: &accuracy)
    let values = try singularValues(of: weight)
    for (k, (b, a)) in zip(try start.b.columnNorms(), try start.a.transposedCopy().columnNorms()).enumerated() {
      #expect(abs(b - (values[k] / 4).squareRoot()) < 1e-14)
      #expect(abs(a - (values[k] / 4).squareRoot()) < 1e-14)
    }
  }

  @Test(arguments: [(24, 16), (16, 24)]) func endsOfTheSpectrumAreRecognised(rows: Int, columns: Int) throws {
    var random = SeededGenerator(seed: 13)
    let weight = try weight(rows: rows, columns: columns, &random)
    let u = try singularValueDecomposition(of: weight).u!
    func end(_ range: Range<Int>) throws -> AdapterMethod? {
      // Another basis of the same span, as every trainer's own SVD gives.
      let mixing: Matrix<Double> = random.normalMatrix(rows: range.count, columns: range.count)
      return try SVDStart.end(spannedBy: product(Matrix(u.view[0..<rows, range]), mixing), of: weight)
    }
    #expect(try end(0..<4) == .pissa)
    #expect(try end(12..<16) == .milora)
    #expect(try end(6..<10) == nil)
    #expect(try end(0..<5) == nil, "with more than a quarter of the vectors chance is too good")
    let gaussian: Matrix<Double> = random.normalMatrix(rows: rows, columns: 4)
    #expect(try SVDStart.end(spannedBy: gaussian, of: weight) == nil)
    #expect(try SVDStart.end(spannedBy: Matrix(rows: rows, columns: 4), of: weight) == nil)
  }

  @Test func residualRoundingIsWhatStoringTheResidualDoes() throws {
    var random = SeededGenerator(seed: 14)
    let weight = rounded(try weight(rows: 18, columns: 22, &random), to: .bfloat16)
    let start = randomFactors(rows: 18, columns: 22, rank: 3, scaling: 0.01, &random)
    let residual = weight - product(start.b, start.a, alpha: 0.01)
    // Eight significant bits: the spacing at x is 2^(⌊log₂|x|⌋ − 7).
    let errors = residual.elements.map { x in
      let spacing = Double(sign: .plus, exponent: Int(x.exponent) - 7, significand: 1)
      return (x / spacing).rounded(.toNearestOrEven) * spacing - x
    }
    let found = try SVDStart.residualRoundingNorm(weight: weight, start: start, format: .bfloat16)
    // Both residuals carry rounding errors of u·|W|, which can move an entry over a tie in no more than one of 1e13 cases.
    #expect(abs(found / euclideanNorm(errors) - 1) < 1e-12)
    #expect(found > 0)
    #expect(try SVDStart.residualRoundingNorm(weight: weight, start: start, format: .float64) == 0)
  }
}
