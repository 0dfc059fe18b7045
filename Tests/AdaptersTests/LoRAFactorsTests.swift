import Adapters
import LinearAlgebra
import Testing
import Weights

@Suite struct LoRAFactorsTests {
  @Test(arguments: [(3, 2.0, 3, 2.0), (3, 2.0, 3, 0.5), (4, 2.0, 2, 2.0), (2, 1.5, 5, 0.25)])
  func differenceEqualsTheDenseOne(rank: Int, scaling: Double, startRank: Int, startScaling: Double) throws {
    var random = SeededGenerator(seed: 1)
    let now = randomFactors(rows: 12, columns: 17, rank: rank, scaling: scaling, &random)
    let start = randomFactors(rows: 12, columns: 17, rank: startRank, scaling: startScaling, &random)
    let dense =
      product(now.b, now.a, alpha: now.scaling) - product(start.b, start.a, alpha: start.scaling)
    let found = now.difference(from: start)
    #expect(found.terms == rank + startRank)
    // Sums of at most nine products below 2·4² each.
    #expect(try largestDifference(found.dense(), dense) < 9 * 9 * 32 * 0x1p-53)
  }

  @Test func aZeroStartLeavesTheProduct() throws {
    var random = SeededGenerator(seed: 2)
    let now = randomFactors(rows: 5, columns: 6, rank: 2, scaling: -3, &random)
    var start = randomFactors(rows: 5, columns: 6, rank: 2, scaling: 1, &random)
    start.b = Matrix(rows: 5, columns: 2)
    #expect(start.isZero && !now.isZero)
    let found = now.difference(from: start)
    #expect(found.terms == 2)
    // −3·(b₁a₁ + b₂a₂) rounds four times, on either side.
    #expect(try largestDifference(found.dense(), product(now.b, now.a, alpha: -3)) < 8 * 3 * 2 * 16 * 0x1p-53)
    #expect(try start.difference(from: now).singularValues().values.count == 4, "one of the two states is not zero")
  }

  @Test func equalStatesDifferByExactlyZero() throws {
    var random = SeededGenerator(seed: 3)
    let now = randomFactors(rows: 30, columns: 40, rank: 4, scaling: 0.7, &random)
    #expect(try now.difference(from: now).singularValues().values == Array(repeating: 0, count: 8))
  }

  /// B₀ = b/16 and A₀ = a/16 hold small integers over 16, and the steps 2⁻³⁰·E and 2⁻³⁰·F small integers too, so that the true
  /// difference 2⁻³⁴·(E·a + b·F) + 2⁻⁶⁰·E·F is known without any rounding. Subtracting the two products would leave
  /// u·‖B‖‖A‖/‖difference‖, about 1e-7, of error. The smaller shape is one whose product is formed.
  @Test(arguments: [(24, 32), (8, 10)]) func aDifferenceOfABillionthKeepsItsAccuracy(rows: Int, columns: Int) throws {
    var random = SeededGenerator(seed: 4)
    func integers(_ rows: Int, _ columns: Int, below limit: Double) -> Matrix<Double> {
      let count = rows * columns
      return Matrix(
        rows: rows, columns: columns, elements: (0..<count).map { _ in ((random.uniform() * 2 - 1) * limit).rounded() })
    }
    let (b0, a0) = (integers(rows, 3, below: 15), integers(3, columns, below: 15))
    let (e, f) = (integers(rows, 3, below: 7), integers(3, columns, below: 7))
    func moved(_ start: Matrix<Double>, _ step: Matrix<Double>) -> Matrix<Double> {
      let elements = zip(start.elements, step.elements).map { $0 / 16 + $1 * 0x1p-30 }
      return Matrix(rows: start.rows, columns: start.columns, elements: elements)
    }
    let start = LoRAFactors(b: b0.scaled(by: 1.0 / 16), a: a0.scaled(by: 1.0 / 16), scaling: 2, format: .float32)
    let now = LoRAFactors(b: moved(b0, e), a: moved(a0, f), scaling: 2, format: .float32)
    let linear = product(e, a0) - product(b0, f).scaled(by: -1)
    let truth = linear.scaled(by: 2 * 0x1p-34) - product(e, f).scaled(by: -2 * 0x1p-60)

    let expected = try singularValues(of: truth)
    let difference = now.difference(from: start)
    #expect(try largestDifference(difference.dense(), truth) <= 1e-14 * expected[0])
    let found = try difference.singularValues().values
    #expect(found.count == 6)
    // The dense values are right to about 32·u·τ₁, the factored ones to 1e-11 of themselves.
    for (value, exact) in zip(found, expected) { #expect(abs(value - exact) <= 1e-11 * exact + 1e-14 * expected[0]) }
  }

  /// The estimate against what rounding does. Gaussian entries of unit variance have E[4^⌊log₂|x|⌋] = 0.543, against 0.541
  /// under the logarithmic distribution of the estimate: a bias of 0.2 %. One squared error has a relative deviation of 2.3,
  /// so the rms over 16 trials of 2·8·150 errors has 0.5·2.3/√38400 = 0.6 %, of which five are allowed.
  @Test(arguments: [FloatFormat.bfloat16, .float16, .float32]) func roundingNormIsWhatRoundingDoes(format: FloatFormat)
    throws
  {
    var random = SeededGenerator(seed: 5)
    var measured: [Double] = []
    var estimated: [Double] = []
    for _ in 0..<16 {
      let exact = randomFactors(rows: 150, columns: 150, rank: 8, scaling: -1.5, format: format, &random)
      let stored = product(rounded(exact.b, to: format), rounded(exact.a, to: format), alpha: -1.5)
      measured.append(try (stored - product(exact.b, exact.a, alpha: -1.5)).frobeniusNorm())
      estimated.append(try exact.roundingNorm())
    }
    #expect(abs(euclideanNorm(measured) / euclideanNorm(estimated) - 1) < 0.002 + 5 * 0.006)
  }

  @Test func euclideanNormNeitherOverflowsNorVanishes() {
    #expect(euclideanNorm([]) == 0 && euclideanNorm([0, 0]) == 0)
    #expect(abs(euclideanNorm([3e200, -4e200]) / 5e200 - 1) < 1e-15)
    #expect(abs(euclideanNorm([3e-200, 4e-200]) / 5e-200 - 1) < 1e-15)
  }
}
