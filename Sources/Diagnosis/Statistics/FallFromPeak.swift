import Foundation

/// How far a noisy quantity that should rise has fallen below its own peak.
///
/// Means of the last `width` records are held against the largest such mean before. The noise of a record is taken from the
/// differences of neighbours, which a slow trend hardly touches: their mean absolute value times √π/2, were they normal.
package struct FallFromPeak: Sendable {
  package struct Point: Equatable, Sendable {
    package var step: Int
    package var mean: Double
    package var peak: Double
    /// (peak − mean) ÷ (peak − the least that there can be): 0 at the peak, 1 where nothing is left.
    package var share: Double
    /// The chance of such a fall from noise alone.
    package var pValue: Double
  }

  package let points: [Point]
  package static let width = 5

  /// - Parameter series: one value a record. Zero counts as the least where no value is below it.
  package init(_ series: Series) {
    let means = series.trailing(Self.width, Diagnosis.mean)
    let noise = Self.noise(series.values)
    let degrees = Double(max(1, series.count - 1))
    var (peak, least) = (-Double.infinity, 0.0)
    points = means.points.map { point in
      peak = max(peak, point.value)
      least = min(least, point.value)
      let fall = peak - point.value
      let scale = peak - least
      // Of two means of as many records.
      let error = noise * (2 / Double(Self.width)).squareRoot()
      let p = error > 0 ? StudentT.upperTail(fall / error, degrees: degrees) : (fall > 0 ? 0 : 1)
      return Point(step: point.step, mean: point.value, peak: peak, share: scale > 0 ? fall / scale : 0, pValue: p)
    }
  }

  /// The standard deviation of one value about its trend.
  static func noise(_ values: [Double]) -> Double {
    let differences = zip(values, values.dropFirst()).map { abs($1 - $0) }
    return differences.isEmpty ? 0 : mean(differences) * Double.pi.squareRoot() / 2
  }

  /// The first point of a stretch of `count` points that have all fallen by `share`, beyond what noise does at its last look.
  func stretch(of count: Int, fallenBy share: Double) -> (first: Point, last: Point, pValue: Double)? {
    guard points.count >= count else { return nil }
    for end in count...points.count {
      let window = points[(end - count)..<end]
      guard window.allSatisfy({ $0.share >= share }) else { continue }
      // The stretch holds as a whole only if its mildest point does.
      let p = Sequential.adjusted(window.map(\.pValue).max()!, look: end - count + 1)
      if p < Sequential.level { return (window.first!, window.last!, p) }
    }
    return nil
  }
}
