import LinearAlgebra
import RealModule
import Testing

@Suite struct LowRankProductTests {
  /// left·right with the given singular values, written in a basis of the given condition number.
  private func factors(
    rows: Int, columns: Int, values: [Double], gaugeCondition: Double, seed: UInt64
  ) throws -> LowRankProduct {
    var random = SeededGenerator(seed: seed)
    let p = values.count
    func orthonormal(_ rows: Int) throws -> Matrix<Double> {
      let gaussian: Matrix<Double> = random.normalMatrix(rows: rows, columns: p)
      return try householderQR(of: gaussian).q
    }
    let (u, v, x, y) = (try orthonormal(rows), try orthonormal(columns), try orthonormal(p), try orthonormal(p))
    let spread = (0..<p).map { Double.pow(gaugeCondition, p > 1 ? Double($0) / Double(p - 1) : 0) }
    func diagonal(_ d: [Double]) -> Matrix<Double> {
      var m = Matrix<Double>(rows: p, columns: p)
      for i in 0..<p { m[i, i] = d[i] }
      return m
    }
    let gauge = product(product(x, diagonal(spread)).view, y.transposed)
    let inverse = product(product(y, diagonal(spread.map { 1 / $0 })).view, x.transposed)
    let halves = diagonal(values.map { $0.squareRoot() })
    return LowRankProduct(
      left: product(product(u, halves), inverse), right: product(gauge, product(halves.view, v.transposed)))
  }

  @Test(arguments: [1.0, 30, 1e3]) func valuesSurviveAGauge(_ condition: Double) throws {
    let values = (0..<16).map { Double.pow(10, -2 * Double($0) / 15) }
    let spectrum = try factors(rows: 96, columns: 80, values: values, gaugeCondition: condition, seed: 3)
      .singularValues()
    // Making the factors rounds each entry once: relative errors up to κ(left)·κ(right)·u·p of the smallest value.
    let made = 10 * condition * condition * 16 * Double.unitRoundoff
    for (found, expected) in zip(spectrum.values, values) {
      #expect(abs(found / expected - 1) < max(1e-11, made))
    }
    #expect(spectrum.values.count == 16)
  }

  @Test func eachRouteIsTakenAndAgreesWithTheDenseProduct() throws {
    let values = [3.0, 1, 0.5, 0.2]
    let routes: [(Double, LowRankSpectrum.Route)] = [(1, .gram), (100, .qr), (1e6, .extended)]
    for (condition, route) in routes {
      let update = try factors(rows: 40, columns: 60, values: values, gaugeCondition: condition, seed: 5)
      let spectrum = try update.singularValues()
      #expect(spectrum.route == route)
      let dense = try singularValues(of: update.dense())
      for (found, expected) in zip(spectrum.values, dense) {
        // The dense product rounds at u·‖left‖‖right‖, which the gauge makes κ times larger than the product.
        #expect(abs(found - expected) < 60 * condition * 3 * Double.unitRoundoff * 4)
      }
    }
  }

  @Test func wideFactorsAreMultipliedOut() throws {
    let update = try factors(
      rows: 12, columns: 20, values: (1...8).reversed().map(Double.init), gaugeCondition: 2, seed: 7)
    let spectrum = try update.singularValues()
    #expect(spectrum.route == .dense)
    #expect(spectrum.values.count == 8)
    for (found, expected) in zip(spectrum.values, (1...8).reversed()) {
      #expect(abs(found - Double(expected)) < 1e-13 * 8)
    }
  }

  @Test func zeroTermsGiveExactZeros() throws {
    var update = try factors(rows: 30, columns: 30, values: [2, 1, 0.5], gaugeCondition: 3, seed: 9)
    for i in 0..<30 { update.left[i, 1] = 0 }
    let spectrum = try update.singularValues()
    #expect(spectrum.values.count == 3)
    #expect(spectrum.values[1] > 0 && spectrum.values[2] == 0)
    let zero = LowRankProduct(left: Matrix(rows: 5, columns: 2), right: Matrix(rows: 2, columns: 5))
    #expect(try zero.singularValues().values == [0, 0])
  }

  @Test func dependentTermsLeaveOnlyRounding() throws {
    let one = try factors(rows: 50, columns: 40, values: [2, 1], gaugeCondition: 1, seed: 11)
    // [L, L]·[R; −R] is exactly zero although no term is.
    let cancelled = LowRankProduct(
      left: .sideBySide([one.left, one.left]), right: .stacked([one.right, one.right.scaled(by: -1)]))
    let spectrum = try cancelled.singularValues()
    #expect(spectrum.route == .extended)
    #expect(spectrum.values.allSatisfy { $0 < 1e-28 })
  }

  @Test(arguments: [1e-30, 1e30, 1e-150, 1e150]) func scaleDoesNotMatter(_ scale: Double) throws {
    let update = try factors(rows: 20, columns: 24, values: [2, 1, 0.25], gaugeCondition: 5, seed: 13)
    let reference = try update.singularValues().values
    let scaled = LowRankProduct(left: update.left.scaled(by: scale), right: update.right.scaled(by: 1 / scale))
    for (a, b) in zip(try scaled.singularValues().values, reference) { #expect(abs(a / b - 1) < 1e-13) }
    let oneSided = LowRankProduct(left: update.left.scaled(by: scale), right: update.right)
    for (a, b) in zip(try oneSided.singularValues().values, reference) { #expect(abs(a / (b * scale) - 1) < 1e-13) }
  }

  @Test func nonFiniteFactorsAreRefused() throws {
    var update = try factors(rows: 6, columns: 6, values: [1], gaugeCondition: 1, seed: 15)
    update.right[0, 4] = .nan
    #expect(throws: LinearAlgebraError.self) { try update.singularValues() }
  }
}
