import Diagnosis
import Testing

/// Where accuracy falls through that of the start.
@Suite struct CriticalRateTests {
  private func rate(_ runs: (rate: Double, start: Double, final: Double)...) -> CriticalRate? {
    CriticalRate(
      runs.map { CriticalRate.Run(learningRate: $0.rate, startAccuracy: $0.start, finalAccuracy: $0.final) })
  }

  private func isNear(_ rate: CriticalRate?, _ expected: Double) -> Bool {
    guard case .at(let found) = rate else { return false }
    return abs(found / expected - 1) < 1e-12
  }

  @Test func betweenNeighboursItIsLinearInTheLogarithm() {
    // From +0.4 at 1e-3 to −0.4 at 1e-1: halfway.
    #expect(isNear(rate((1e-3, 0.4, 0.8), (1e-1, 0.4, 0)), 1e-2))
    // From +0.3 to −0.1: three quarters of the way, in any order of runs.
    #expect(isNear(rate((1e-1, 0.4, 0.3), (1e-3, 0.4, 0.7)), 1e-3 * 31.622776601683793))
    // Exactly the start's accuracy is no loss yet.
    #expect(isNear(rate((1e-3, 0.4, 0.4), (1e-2, 0.4, 0)), 1e-3))
  }

  @Test func outsideOfTheGridItIsBounded() {
    #expect(rate((1e-3, 0.4, 0.8), (1e-2, 0.4, 0.4)) == .above(1e-2))
    #expect(rate((1e-3, 0.4, 0.8)) == .above(1e-3))
    #expect(rate((1e-3, 0.4, 0.1), (1e-2, 0.4, 0)) == .below(1e-3))
    #expect(rate() == nil)
    // A rate too small to change anything says nothing of a rate that is too large.
    #expect(rate((1e-6, 0.4, 0.396)) == nil)
    #expect(rate((1e-6, 0.4, 0.396), (1e-1, 0.4, 0)) == nil)
  }

  @Test func theFirstFallBehindTheBestRateCounts() {
    let found = rate((1e-6, 0.4, 0.396), (1e-3, 0.4, 0.8), (1e-2, 0.4, 0), (1e-1, 0.4, 0.5), (1, 0.4, 0))
    #expect(isNear(found, 1e-3 * 10.squareRoot()))
  }

  @Test func theSpreadOverSeeds() throws {
    let odd = try #require(CriticalRate.Spread([.above(1), .at(0.1), .at(0.2)]))
    #expect(odd.median == .at(0.2) && odd.lowest == .at(0.1) && odd.highest == .above(1))
    let even = try #require(CriticalRate.Spread([.at(4), .at(1)]))
    #expect(even.median == .at(2))
    // Between a rate and a bound the median is bounded, not made up.
    #expect(CriticalRate.Spread([.at(0.1), .above(1)])?.median == .above(0.1))
    #expect(CriticalRate.Spread([.below(0.1), .at(0.5)])?.median == .below(0.5))
    #expect(CriticalRate.Spread([.below(0.1), .above(1)])?.median == nil)
    #expect(CriticalRate.Spread([.above(1), .above(1)])?.median == .above(1))
    #expect(CriticalRate.Spread([]) == nil)
  }
}
