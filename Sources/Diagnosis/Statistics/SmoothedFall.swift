/// How far a noisy quantity that should rise lies below its own peak, both as exponential means: at every point a share of the peak.
package struct SmoothedFall: Sendable {
  /// What a new value weighs in the mean.
  package static let weight = 0.4

  /// The peak's share that is lost; 0 where noise may do as much, or nothing was there to lose.
  package let shares: Series
  /// The last step, at each point, whose mean was within a standard error of the peak.
  private let lastHeights: [Int]

  package init(_ series: Series) {
    var (shares, heights) = ([Series.Point](), [Int]())
    // Means with the variance that they have, where a value has 1.
    var mean = (value: 0.0, variance: 1.0)
    var (peak, height, last, changes) = (mean, 0, 0.0, 0.0)
    for (index, point) in series.points.enumerated() {
      let weight = index == 0 ? 1 : Self.weight
      mean.value += weight * (point.value - mean.value)
      mean.variance = (1 - weight) * (1 - weight) * mean.variance + weight * weight
      changes += index == 0 ? 0 : abs(point.value - last)
      last = point.value
      if index == 0 || mean.value > peak.value { peak = mean }
      // Differences of neighbours are twice as variable as values, and their mean size is √(2/π) of their deviation.
      let noise = changes / Double(max(1, index)) * Double.pi.squareRoot() / 2
      let (fall, error) = (peak.value - mean.value, noise * (peak.variance + mean.variance).squareRoot())
      if fall <= error { height = point.step }
      heights.append(height)
      let isFall = peak.value > 0 && Self.isBeyondNoise(fall, error: error, count: index + 1)
      shares.append(Series.Point(step: point.step, value: isFall ? 1 - mean.value / peak.value : 0))
    }
    (self.shares, lastHeights) = (Series(shares), heights)
  }

  /// Whether noise makes any of the n²/2 pairs of n means so unlike in no more than `Sequential.level` of cases.
  ///
  /// Noise is taken as normal. That of rewards that are rare, and of few completions, has a longer tail.
  private static func isBeyondNoise(_ fall: Double, error: Double, count: Int) -> Bool {
    guard fall > error, count > 1 else { return false }
    guard error > 0 else { return true }
    let pairs = Double(count * count) / 2
    return StudentT.upperTail(fall / error, degrees: Double(count - 1)) * pairs < Sequential.level
  }

  /// The first point that lost more than a share, and the last step that was as good as the peak.
  func first(beyond share: Double) -> (point: Series.Point, height: Int)? {
    shares.points.firstIndex { $0.value > share }.map { (shares.points[$0], lastHeights[$0]) }
  }
}
