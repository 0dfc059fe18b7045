import Foundation
import LinearAlgebra
import Spectra
import Testing

@Suite struct UpdateSpectrumTests {
  private func spectrum(_ values: [Double], threshold: Double = 0) -> UpdateSpectrum {
    UpdateSpectrum(rows: 100, columns: 80, values: values, rankThreshold: threshold)
  }

  private func expect(_ value: Double?, near expected: Double, sourceLocation: SourceLocation = #_sourceLocation) {
    // Sums of at most 64 rounded terms, and logarithms of them.
    #expect(abs((value ?? .nan) - expected) <= 1e-13 * expected, sourceLocation: sourceLocation)
  }

  // MARK: Closed forms

  @Test(arguments: [1, 2, 7, 64]) func equalValuesHaveFullRankByEveryMeasure(count: Int) {
    let equal = spectrum(Array(repeating: 0.3, count: count))
    let n = Double(count)
    for rank in [equal.stableRank, equal.effectiveRank, equal.effectiveRankOfEnergy, equal.participationRatio] {
      expect(rank, near: n)
    }
    expect(equal.nuclearRatio, near: n.squareRoot())
    expect(equal.frobeniusNorm, near: 0.3 * n.squareRoot())
    #expect(equal.spectralNorm == 0.3 && equal.numericalRank == count)
  }

  @Test func zerosBesideOneValueCountForNothing() {
    let one = spectrum([5, 0, 0])
    #expect(one.stableRank == 1 && one.effectiveRank == 1 && one.effectiveRankOfEnergy == 1)
    #expect(one.participationRatio == 1 && one.nuclearRatio == 1 && one.numericalRank == 1)
    #expect(one.frobeniusNorm == 5 && one.spectralNorm == 5)
  }

  @Test(arguments: [(3.0, 1.0), (2.0, 1.9), (1.0, 1e-5)]) func twoValues(a: Double, b: Double) {
    let two = spectrum([a, b])
    /// (a^a·b^b)^{−1/(a+b)}·(a + b): the exponential of the entropy of a/(a+b), b/(a+b).
    func rank(_ a: Double, _ b: Double) -> Double { (a + b) * exp(-(a * log(a) + b * log(b)) / (a + b)) }
    expect(two.stableRank, near: 1 + b * b / (a * a))
    expect(two.effectiveRank, near: rank(a, b))
    expect(two.effectiveRankOfEnergy, near: rank(a * a, b * b))
    expect(two.participationRatio, near: pow(a * a + b * b, 2) / (pow(a, 4) + pow(b, 4)))
    expect(two.nuclearRatio, near: (a + b) / hypot(a, b))
    expect(two.frobeniusNorm, near: hypot(a, b))
  }

  /// τᵢ = xⁱ: Στ = (1 − xⁿ)/(1 − x), and the entropy is ln Στ − ln x·Σ i·xⁱ/Στ.
  @Test(arguments: [0.5, 0.9]) func geometricValues(x: Double) {
    let n = 40
    let geometric = spectrum((0..<n).map { pow(x, Double($0)) })
    func sum(_ x: Double) -> Double { (1 - pow(x, Double(n))) / (1 - x) }
    func rank(_ x: Double) -> Double {
      let m = Double(n)
      let weighted = x * (1 - m * pow(x, m - 1) + (m - 1) * pow(x, m)) / pow(1 - x, 2)
      return sum(x) * exp(-log(x) * weighted / sum(x))
    }
    expect(geometric.stableRank, near: sum(x * x))
    expect(geometric.effectiveRank, near: rank(x))
    expect(geometric.effectiveRankOfEnergy, near: rank(x * x))
    expect(geometric.participationRatio, near: pow(sum(x * x), 2) / sum(pow(x, 4)))
    expect(geometric.nuclearRatio, near: sum(x) / sum(x * x).squareRoot())
  }

  // MARK: Properties

  @Test(arguments: 0..<20 as Range<UInt64>) func theRanksAreOrdered(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let count = 1 + Int(random.uniform() * 30)
    let decay = random.uniform() * 3
    let values = (0..<count).map { _ in exp(-decay * 3 * random.uniform()) }.sorted(by: >)
    let some = spectrum(values)
    let ranks: [Double] = try [
      1, #require(some.stableRank), #require(some.participationRatio), #require(some.effectiveRankOfEnergy),
      #require(some.effectiveRank), Double(count),
    ]
    for (lower, upper) in zip(ranks, ranks.dropFirst()) { #expect(lower <= upper * (1 + 1e-13)) }
    let nuclear = try #require(some.nuclearRatio)
    #expect(nuclear >= 1 - 1e-13 && nuclear <= Double(count).squareRoot() * (1 + 1e-13))
  }

  @Test(arguments: [1e-200, 1e200]) func onlyTheNormsFollowTheScale(scale: Double) throws {
    let values = [4.0, 1.7, 0.3, 2e-4]
    let (plain, scaled) = (spectrum(values), spectrum(values.map { $0 * scale }))
    let shapes: [KeyPath<UpdateSpectrum, Double?>] = [
      \.stableRank, \.effectiveRank, \.effectiveRankOfEnergy, \.participationRatio, \.nuclearRatio,
    ]
    for shape in shapes {
      expect(scaled[keyPath: shape], near: try #require(plain[keyPath: shape]))
    }
    expect(scaled.frobeniusNorm, near: plain.frobeniusNorm * scale)
    expect(scaled.spectralNorm, near: 4 * scale)
  }

  @Test(arguments: [[], [0.0, 0]]) func aZeroUpdateHasNormsAndNoShape(values: [Double]) {
    let zero = spectrum(values)
    #expect(zero.frobeniusNorm == 0 && zero.spectralNorm == 0 && zero.numericalRank == 0)
    #expect(zero.stableRank == nil && zero.effectiveRank == nil && zero.effectiveRankOfEnergy == nil)
    #expect(zero.participationRatio == nil && zero.nuclearRatio == nil)
  }

  // MARK: Numerical rank

  @Test func factorsCountDownToFloat64Rounding() throws {
    // Two orthogonal terms, the second just above and just below 100·2⁻⁵² of the first.
    func rank(_ ratio: Double) throws -> Int {
      var (left, right) = (Matrix<Double>(rows: 100, columns: 2), Matrix<Double>(rows: 2, columns: 60))
      (left[0, 0], left[1, 1], right[0, 0], right[1, 1]) = (1, ratio, 1, 1)
      return try UpdateSpectrum(of: LowRankProduct(left: left, right: right)).numericalRank
    }
    #expect(try rank(101 * 0x1p-52) == 2)
    #expect(try rank(99 * 0x1p-52) == 1)
  }

  /// What storing a weight in bfloat16 adds is full-rank noise whose largest value lies near (√m + √n)·rms entry, above it in
  /// one case of six (Tracy and Widom) and by a few per cent, and the second practically never.
  @Test(arguments: 31..<41 as Range<UInt64>) func roundingOfAWholeWeightIsNoRank(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let before: Matrix<Double> = random.normalMatrix(rows: 120, columns: 90)
    func change(_ added: Matrix<Double>) throws -> UpdateSpectrum {
      let stored = (before - added.scaled(by: -1)).elements.map(toBFloat16)
      let after = Matrix(rows: 120, columns: 90, elements: stored)
      return try UpdateSpectrum(of: after - before, laterNorm: after.frobeniusNorm(), rounding: 0.425 * 0x1p-8)
    }
    let noise = try change(Matrix(rows: 120, columns: 90))
    #expect(noise.values.count == 90 && noise.numericalRank <= 1)
    #expect(abs(noise.values[0] / noise.rankThreshold - 1) < 0.1, "the threshold is where the noise ends")

    let (u, v): (Matrix<Double>, Matrix<Double>) = (
      random.normalMatrix(rows: 120, columns: 3), random.normalMatrix(rows: 90, columns: 3)
    )
    let directions = product(try householderQR(of: u).q.view, try householderQR(of: v).q.transposed)
    let signal = try change(directions.scaled(by: 3 * noise.rankThreshold))
    // By Weyl three values stay above 1.9 thresholds, and the fourth is at most the noise's largest.
    #expect(signal.values[2] > 1.9 * signal.rankThreshold && signal.values[3] < 1.1 * signal.rankThreshold)
    #expect((3...4).contains(signal.numericalRank) && signal.values[4] < signal.rankThreshold)
  }

  /// The nearest number with eight significant bits.
  private func toBFloat16(_ x: Double) -> Double {
    let spacing = Double(sign: .plus, exponent: Int(x.exponent) - 7, significand: 1)
    return (x / spacing).rounded(.toNearestOrEven) * spacing
  }
}
