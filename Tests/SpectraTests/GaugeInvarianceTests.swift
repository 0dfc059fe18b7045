import LinearAlgebra
import Spectra
import Testing

/// What a spectrum may not depend on, and how far a perturbation may move it.
@Suite struct GaugeInvarianceTests {
  private static let unit = 0x1p-53
  private let scale = ModuleScale(
    baseNorm: 7, rank: 6, roundingNorm: 1e-4, residualRoundingNorm: 1e-3, stepsSincePrevious: 5)

  private func orthogonal(_ rows: Int, _ columns: Int, _ random: inout SeededGenerator) throws -> Matrix<Double> {
    let gaussian: Matrix<Double> = random.normalMatrix(rows: rows, columns: columns)
    return try householderQR(of: gaussian).q
  }

  /// 60 × 50 of rank 6 with the singular values 1, ½, …, 1/32, its roots on either side.
  private func update(_ random: inout SeededGenerator) throws -> LowRankProduct {
    var (left, right) = (try orthogonal(60, 6, &random), try orthogonal(50, 6, &random))
    for k in 0..<6 {
      let root = Double(sign: .plus, exponent: -k, significand: 1).squareRoot()
      for i in 0..<60 { left[i, k] *= root }
      for i in 0..<50 { right[i, k] *= root }
    }
    return LowRankProduct(left: left, right: right.transposedCopy())
  }

  /// Every metric there is, with counts equal and numbers within a relative bound.
  private func expectEqual(_ a: LowRankProduct, _ b: LowRankProduct, within bound: Double) throws {
    let (first, second) = (
      MetricValues(of: try UpdateSpectrum(of: a), in: scale), MetricValues(of: try UpdateSpectrum(of: b), in: scale)
    )
    for metric in Metric.allCases {
      guard let x = first[metric], let y = second[metric] else {
        #expect(first[metric] == second[metric], "\(metric.rawValue)")
        continue
      }
      #expect(abs(x - y) <= (metric.isCount ? 0 : bound) * abs(x), "\(metric.rawValue): \(x), then \(y)")
    }
  }

  /// B·M⁻¹ and M·A are rounded at 2·6·u of ‖B‖‖M⁻¹‖ and ‖M‖‖A‖, which moves their product, and with it every singular
  /// value, by 24·κ·u·‖B‖‖A‖ with ‖B‖ = ‖A‖ = 1 (Weyl), and by 32 times that relative to the smallest. No metric is more
  /// than four times as sensitive as that.
  @Test(arguments: [1, 10, 1e2, 1e3, 1e4, 1e5, 1e6], [41, 42, 43] as [UInt64])
  func factorsMayBeWrittenInAnyBasis(condition: Double, seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let plain = try update(&random)
    let (x, y) = (try orthogonal(6, 6, &random), try orthogonal(6, 6, &random))
    var (stretched, shrunk) = (x, y)
    for k in 0..<6 {
      let factor = geometric(condition, k)
      for i in 0..<6 {
        stretched[i, k] *= factor
        shrunk[i, k] /= factor
      }
    }
    let gauge = product(stretched.view, y.transposed)
    let inverse = product(shrunk.view, x.transposed)
    let written = LowRankProduct(left: product(plain.left, inverse), right: product(gauge, plain.right))
    try expectEqual(plain, written, within: 4 * 32 * 24 * condition * Self.unit)
  }

  /// condition^(k/5), without a logarithm: 1 for k = 0, `condition` for k = 5.
  private func geometric(_ condition: Double, _ k: Int) -> Double {
    k == 5 ? condition : k == 0 ? 1 : 1 + (condition - 1) * Double(k * k) / 25
  }

  @Test(arguments: [51, 52, 53] as [UInt64]) func rotationsChangeNothing(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let plain = try update(&random)
    let rotated = LowRankProduct(
      left: product(try orthogonal(60, 60, &random), plain.left),
      right: product(plain.right, try orthogonal(50, 50, &random)))
    // 60-term sums on either side, relative to the smallest value of 1/32.
    try expectEqual(plain, rotated, within: 32 * 4 * 60 * Self.unit)
  }

  @Test func transposingChangesNothing() throws {
    var random = SeededGenerator(seed: 61)
    let plain = try update(&random)
    let transposed = LowRankProduct(left: plain.right.transposedCopy(), right: plain.left.transposedCopy())
    let (a, b) = (try UpdateSpectrum(of: plain).values, try UpdateSpectrum(of: transposed).values)
    for (x, y) in zip(a, b) { #expect(abs(x - y) <= 1e-11 * x) }
  }

  /// Weyl: no singular value moves by more than ‖E‖₂. Mirsky: their root mean square by no more than ‖E‖_F.
  @Test(arguments: [1e-12, 1e-6, 1e-2, 1], [71, 72, 73] as [UInt64])
  func perturbationsMoveTheValuesByNoMoreThanTheirNorm(size: Double, seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let plain = try update(&random)
    let (left, right): (Matrix<Double>, Matrix<Double>) = (
      random.normalMatrix(rows: 60, columns: 2), random.normalMatrix(rows: 2, columns: 50)
    )
    let added = LowRankProduct(left: left.scaled(by: size), right: right)
    let perturbed = LowRankProduct(
      left: .sideBySide([plain.left, added.left]), right: .stacked([plain.right, added.right]))
    let perturbation = try UpdateSpectrum(of: added)
    let (before, after) = (try UpdateSpectrum(of: plain).values + [0, 0], try UpdateSpectrum(of: perturbed).values)
    try #require(after.count == 8)
    let moves = zip(before, after).map { abs($0 - $1) }
    // Values are right to 1e-11 of themselves, or to 60·2⁻⁵² of the largest where they are remnants.
    let slack = 1e-11 * after[0]
    #expect(moves.max()! <= perturbation.spectralNorm + slack)
    #expect(moves.reduce(0) { $0 + $1 * $1 }.squareRoot() <= perturbation.frobeniusNorm + 8 * slack)
    #expect(moves.max()! > 0)
  }
}
