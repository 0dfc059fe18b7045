import Diagnosis
import Foundation

/// How many of how many, with an interval for the share that they are a sample of.
package struct Proportion: Equatable, Sendable {
  package let count: Int
  package let total: Int

  package init(_ count: Int, of total: Int) {
    precondition(0 <= count && count <= total, "a part is no more than the whole")
    (self.count, self.total) = (count, total)
  }

  /// Nil for a part of nothing.
  package var share: Double? { total > 0 ? Double(count) / Double(total) : nil }

  /// The exact interval of 95 % (Clopper and Pearson, 1934): the shares for which neither so many nor so few would be rarer than 2.5 %.
  /// Nil for a part of nothing.
  package var interval: ClosedRange<Double>? {
    guard total > 0 else { return nil }
    let tail = 0.025
    let low = count == 0 ? 0 : Self.solve { Self.atLeast(count, of: total, $0) - tail }
    let high = count == total ? 1 : Self.solve { tail - (1 - Self.atLeast(count + 1, of: total, $0)) }
    return low...high
  }

  /// The counts that a share of `p` gives in 95 of 100 samples of `total`: outside them at either side lies at most 2.5 %.
  package static func usualCounts(of total: Int, at p: Double) -> ClosedRange<Int> {
    let tail = 0.025
    let low = (0...total).first { 1 - atLeast($0 + 1, of: total, p) > tail } ?? 0
    let high = (0...total).last { atLeast($0, of: total, p) > tail } ?? total
    return low...max(low, high)
  }

  /// The chance of `count` successes or more among `total` of chance `p`.
  private static func atLeast(_ count: Int, of total: Int, _ p: Double) -> Double {
    if count <= 0 { return 1 }
    if count > total { return 0 }
    return IncompleteBeta.regularized(p, Double(count), Double(total - count + 1))
  }

  /// The zero of an increasing function on [0, 1], by bisection to the last bit that matters.
  private static func solve(_ function: (Double) -> Double) -> Double {
    var (low, high) = (0.0, 1.0)
    for _ in 0..<60 {
      let middle = (low + high) / 2
      if function(middle) < 0 { low = middle } else { high = middle }
    }
    return (low + high) / 2
  }
}
