import Assessment
import Testing

struct ProportionTests {
  /// Against scipy.stats.binomtest(k, n).proportion_ci(method="exact").
  @Test(arguments: [
    (0, 300, 0, 0.012220974694296421), (3, 300, 0.0020670072350923137, 0.028944511255692713),
    (190, 200, 0.9099724622984412, 0.9757658345278917), (7, 7, 0.5903836027749514, 1),
    (1, 2, 0.01257911709367899, 0.987420882906321),
  ])
  func theExactInterval(_ count: Int, _ total: Int, _ low: Double, _ high: Double) throws {
    let interval = try #require(Proportion(count, of: total).interval)
    #expect(abs(interval.lowerBound - low) < 1e-12 && abs(interval.upperBound - high) < 1e-12)
  }

  @Test func ofNothingThereIsNoShare() {
    #expect(Proportion(0, of: 0).share == nil && Proportion(0, of: 0).interval == nil)
  }

  /// Against scipy.stats.binom: the counts k with P(X ≤ k) > 0.025 and P(X ≥ k) > 0.025.
  @Test(arguments: [(300, 0.1, 20...41), (300, 0.01, 0...7), (33, 0.1, 0...7), (20, 0.01, 0...1)])
  func usualCounts(_ total: Int, _ p: Double, _ range: ClosedRange<Int>) {
    #expect(Proportion.usualCounts(of: total, at: p) == range)
  }
}
