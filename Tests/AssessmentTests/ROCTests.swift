import Assessment
import Testing

struct ROCTests {
  private let first = ROC(positives: [3, 5, 2.5, 8, 4], negatives: [1, 2.5, 3, 0.5, 2, 4])
  private let second = ROC(positives: [2, 6, 3.5, 7, 3], negatives: [2, 2.5, 4, 0.5, 1, 3])

  /// Against NumPy, by the formula of DeLong's paper.
  @Test func areaAndInterval() throws {
    #expect(abs(try #require(first.area) - 0.85) < 1e-12)
    let interval = try #require(first.interval)
    #expect(abs(interval.lowerBound - 0.6206344014945184) < 1e-12 && interval.upperBound == 1)
  }

  @Test func theExcessOverAnotherScoreOfTheSameRuns() throws {
    let excess = try #require(first.excess(over: second))
    #expect(abs(excess.difference - 0.05) < 1e-12)
    #expect(
      abs(excess.interval.lowerBound - -0.18144973056319985) < 1e-12
        && abs(excess.interval.upperBound - 0.2814497305631997) < 1e-12)
  }

  @Test func aRunWithoutAScoreHasTheLowest() {
    #expect(ROC(positives: [nil, 1], negatives: [0, nil]).area == 0.625)
    #expect(ROC(positives: [], negatives: [1]).area == nil)
    #expect(ROC(positives: [1], negatives: [0]).interval == nil)
  }

  @Test func theCurveRunsFromCornerToCorner() {
    let points = first.points
    #expect(points.first! == (0, 0) && points.last! == (1, 1))
    #expect(zip(points, points.dropFirst()).allSatisfy { $0.falseAlarms <= $1.falseAlarms && $0.recall <= $1.recall })
    // The trapezoids below it are the area.
    let area = zip(points, points.dropFirst()).reduce(0.0) {
      $0 + ($1.1.falseAlarms - $1.0.falseAlarms) * ($1.1.recall + $1.0.recall) / 2
    }
    #expect(abs(area - first.area!) < 1e-12)
  }
}
