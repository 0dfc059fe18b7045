import Diagnosis
import Foundation
import LinearAlgebra
import Testing

struct StatisticsTests {
  private static let tails: [[Double]] = [
    [0.0, 3.0, 0.5],
    [1.0, 1.0, 0.25],
    [2.0, 4.5, 0.054128953590562495],
    [-1.5, 7.0, 0.911350756505015],
    [10.0, 3.0, 0.0010641995292070751],
    [30.0, 20.0, 2.0976126619998272e-18],
    [3.0, 1e6, 0.0013499312707109],
  ]

  /// Tails from SciPy 1.17, `scipy.stats.t.sf(t, df)`.
  @Test(arguments: tails)
  func studentsTails(_ tail: [Double]) {
    let (t, degrees, expected) = (tail[0], tail[1], tail[2])
    let found = StudentT.upperTail(t, degrees: degrees)
    // The logarithms of Γ near `degrees` / 2 cancel but for their rounding.
    let tolerance = 1e-12 + 20 * .ulpOfOne * degrees
    #expect(abs(found - expected) < tolerance * expected, "\(found)")
  }

  @Test func theLooksTogetherSpendNoMoreThanOne() {
    var spent = 0.0
    for look in 1...100_000 { spent += 1 / (Double(look) * Double(look + 1)) }
    #expect(spent < 1 && spent > 0.99998)
    #expect(Sequential.adjusted(0.001, look: 1) == 0.002 && abs(Sequential.adjusted(0.001, look: 9) - 0.09) < 1e-16)
    #expect(Sequential.adjusted(0.5, look: 3) == 1)
  }

  /// However often a run without change is looked at, it is alarmed in no more than 1 of 100 cases.
  @Test func aRunWithoutChangeIsHardlyEverAlarmed() throws {
    var numbers = SeededGenerator(seed: 7)
    var alarms = 0
    for _ in 0..<2000 {
      let values = (0..<60).map { _ in exp(0.38 * numbers.normal()) }
      let past = try #require(OwnPast(Array(values.prefix(5)), priorDeviation: 0.38))
      let isAlarmed = values.dropFirst(5).enumerated().contains { look, value in
        Sequential.adjusted(past.upperTail(value), look: look + 1) < Sequential.level
      }
      if isAlarmed { alarms += 1 }
    }
    // 20 are expected at most; three standard deviations more are 34.
    #expect(alarms <= 34, "\(alarms)")
  }

  @Test func aPastNeedsTwoPositiveValues() {
    #expect(OwnPast([1], priorDeviation: 1) == nil && OwnPast([1, 0], priorDeviation: 1) == nil)
    let past = OwnPast([2, 8], priorDeviation: 0.5)
    #expect(past.map { abs($0.center - 4) < 1e-12 && abs($0.upperTail(4) - 0.5) < 1e-12 } == true)
  }

  @Test func aLineThroughPoints() throws {
    let exact = try #require(LinearFit([(1, 1), (2, 3), (3, 5), (4, 7)]))
    #expect(exact.slope == 2 && exact.standardError < 1e-15)
    #expect(exact.upperTail(ofSlopeBeyond: 1) < 1e-12)
    // SciPy: linregress([0, 1, 2, 3], [0, 1, 1, 3]) has slope 0.9 and standard error 0.26457513110645886.
    let fit = try #require(LinearFit([(0, 0), (1, 1), (2, 1), (3, 3)]))
    #expect(abs(fit.slope - 0.9) < 1e-15 && abs(fit.standardError - 0.26457513110645886) < 1e-14)
    #expect(LinearFit([(1, 1), (2, 3)]) == nil && LinearFit([(1, 1), (1, 2), (1, 3)]) == nil)
  }

  @Test func fallsFromAPeak() throws {
    let fall = FallFromPeak(Series((1...12).map { Series.Point(step: $0, value: $0 <= 6 ? 1 : 0.25) }))
    #expect(fall.points.map(\.step) == Array(5...12))
    #expect(fall.points.first?.share(1) == 0 && abs(fall.points.last!.share(fall.points.last!.mean) - 0.75) < 1e-15)
    #expect(FallFromPeak(Series()).points.isEmpty)
  }
}
