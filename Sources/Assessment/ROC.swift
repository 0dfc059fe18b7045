import Diagnosis
import Foundation

/// How well a score parts two kinds of runs: those that it should be high for, and the others.
///
/// Every threshold counts: the area under the curve is the chance that a run of the first kind scores above one of the second, ties counting
/// half. A run without a score has the lowest there is.
package struct ROC: Equatable, Sendable {
  package let positives: [Double]
  package let negatives: [Double]

  package init(positives: [Double?], negatives: [Double?]) {
    self.positives = positives.map { $0 ?? -.infinity }
    self.negatives = negatives.map { $0 ?? -.infinity }
  }

  /// Nil where a kind has no run.
  package var area: Double? { isEmpty ? nil : mean(shares.positives) }

  /// The interval of 95 % (DeLong, DeLong and Clarke-Pearson, 1988). Nil where a kind has fewer than two runs.
  package var interval: ClosedRange<Double>? {
    Self.interval(around: area ?? 0, shares.positives, shares.negatives).map {
      max(0, $0.lowerBound)...min(1, $0.upperBound)
    }
  }

  /// By how much the area exceeds that of another score of the same runs, in their order, with its interval of 95 %.
  package func excess(over other: ROC) -> (difference: Double, interval: ClosedRange<Double>)? {
    precondition(positives.count == other.positives.count && negatives.count == other.negatives.count)
    guard let own = area, let others = other.area else { return nil }
    let (a, b) = (shares, other.shares)
    let difference = own - others
    return Self.interval(
      around: difference, zip(a.positives, b.positives).map { $0 - $1 }, zip(a.negatives, b.negatives).map { $0 - $1 }
    ).map { (difference, $0) }
  }

  /// The curve from (0, 0) to (1, 1): the share of negatives, then of positives, at or above each threshold.
  package var points: [(falseAlarms: Double, recall: Double)] {
    guard !isEmpty else { return [] }
    let all = Set(positives + negatives).sorted(by: >)
    let (up, down) = (positives.sorted(by: >), negatives.sorted(by: >))
    var (i, j) = (0, 0)
    return [(0, 0)]
      + all.map { threshold in
        while i < up.count, up[i] >= threshold { i += 1 }
        while j < down.count, down[j] >= threshold { j += 1 }
        return (Double(j) / Double(down.count), Double(i) / Double(up.count))
      }
  }

  private var isEmpty: Bool { positives.isEmpty || negatives.isEmpty }

  /// For each run the share of the other kind that it is on the right side of, ties counting half.
  private var shares: (positives: [Double], negatives: [Double]) {
    let (up, down) = (positives.sorted(), negatives.sorted())
    return (
      positives.map { Self.below($0, in: down) / Double(down.count) },
      negatives.map { 1 - Self.below($0, in: up) / Double(up.count) }
    )
  }

  /// How many of ascending values are smaller, equal ones counting half.
  private static func below(_ value: Double, in sorted: [Double]) -> Double {
    let smaller = sorted.partitioningIndex { $0 >= value }
    let notLarger = sorted.partitioningIndex { $0 > value }
    return Double(smaller + notLarger) / 2
  }

  private static func interval(around center: Double, _ positives: [Double], _ negatives: [Double]) -> ClosedRange<
    Double
  >? {
    guard positives.count > 1, negatives.count > 1 else { return nil }
    let error = (variance(positives) / Double(positives.count) + variance(negatives) / Double(negatives.count))
      .squareRoot()
    return center - 1.96 * error...center + 1.96 * error
  }

  private static func variance(_ values: [Double]) -> Double {
    let center = mean(values)
    return values.reduce(0) { $0 + ($1 - center) * ($1 - center) } / Double(values.count - 1)
  }
}
