import Foundation

/// How far a noisy quantity that should rise has fallen below its own peak.
///
/// Means of the last `width` records are held against the largest such mean so far. Whether a stretch of low means is more than noise is
/// asked of all its records against those before it. The noise of a record is taken from the differences of neighbours up to there, which a
/// slow trend hardly touches.
package struct FallFromPeak: Sendable {
  package struct Point: Equatable, Sendable {
    package var step: Int
    package var mean: Double
    package var peak: Double
    /// The least so far, and at most zero.
    package var least: Double

    /// (peak − value) ÷ (peak − the least that there can be): 0 at the peak, 1 where nothing is left.
    package func share(_ value: Double) -> Double { peak > least ? (peak - value) / (peak - least) : 0 }
  }

  /// Points in a row that are low.
  package struct Stretch: Equatable, Sendable {
    package var first: Point
    package var last: Point
    /// The step of the first record that is low itself.
    package var earliest: Int
    package var pValue: Double
  }

  package let points: [Point]
  package static let width = 5
  /// Records before a stretch that it is held against, at most.
  private static let memory = 25

  private let series: Series
  /// Sums of values, and of the sizes of their changes, up to each record.
  private var sums = [0.0]
  private var changes = [0.0]

  /// - Parameter series: one value a record. Zero counts as the least where no value is below it.
  package init(_ series: Series) {
    self.series = series
    for (index, value) in series.values.enumerated() {
      sums.append(sums[index] + value)
      changes.append(changes[index] + (index == 0 ? 0 : abs(value - series.points[index - 1].value)))
    }
    var (peak, least) = (-Double.infinity, 0.0)
    points = series.trailing(Self.width, Diagnosis.mean).points.map { point in
      peak = max(peak, point.value)
      least = min(least, point.value)
      return Point(step: point.step, mean: point.value, peak: peak, least: least)
    }
  }

  /// The first stretch of at least `count` points whose means are low, beyond what noise does, over all looks.
  ///
  /// - Parameter isLow: of a value, a mean or a single record, at a point.
  func stretch(of count: Int, where isLow: (Double, Point) -> Bool) -> Stretch? {
    var start = 0
    for (end, point) in points.enumerated() {
      guard isLow(point.mean, point) else {
        start = end + 1
        continue
      }
      guard end - start + 1 >= count else { continue }
      let p = Sequential.adjusted(chance(from: start, to: end + Self.width - 1), look: end + 1)
      guard p < Sequential.level else { continue }
      let records = series.points[start...(start + Self.width - 1)]
      let earliest = records.first { isLow($0.value, points[start]) } ?? records.last!
      return Stretch(first: points[start], last: point, earliest: earliest.step, pValue: p)
    }
    return nil
  }

  /// The chance that noise alone makes the mean of these records so much lower than that of those before.
  private func chance(from first: Int, to last: Int) -> Double {
    let before = min(first, Self.memory)
    guard before > 0 else { return 1 }
    let own = (sums[last + 1] - sums[first]) / Double(last - first + 1)
    let past = (sums[first] - sums[first - before]) / Double(before)
    // Differences of neighbours are twice as variable as values, and their mean size is √(2/π) of their deviation.
    let noise = changes[last + 1] / Double(last) * Double.pi.squareRoot() / 2
    let error = noise * (1 / Double(last - first + 1) + 1 / Double(before)).squareRoot()
    guard error > 0 else { return past > own ? 0 : 1 }
    return StudentT.upperTail((past - own) / error, degrees: Double(last))
  }
}
