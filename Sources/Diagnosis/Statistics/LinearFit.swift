/// A straight line through points by least squares.
package struct LinearFit: Equatable, Sendable {
  package let slope: Double
  /// The standard error of the slope; 0 where the points lie on the line.
  package let standardError: Double
  private let degrees: Double

  /// - Returns: nil for fewer than three points, or where all lie above one another.
  package init?(_ points: [(x: Double, y: Double)]) {
    guard points.count >= 3 else { return nil }
    let (x, y) = (mean(points.map(\.x)), mean(points.map(\.y)))
    let spread = points.reduce(0) { $0 + ($1.x - x) * ($1.x - x) }
    guard spread > 0 else { return nil }
    slope = points.reduce(0) { $0 + ($1.x - x) * ($1.y - y) } / spread
    degrees = Double(points.count - 2)
    let slope = slope
    let residual = points.reduce(0) { sum, point in
      let error = point.y - y - slope * (point.x - x)
      return sum + error * error
    }
    standardError = (residual / degrees / spread).squareRoot()
  }

  /// The chance of such a slope where the true one is at most `bound`.
  package func upperTail(ofSlopeBeyond bound: Double) -> Double {
    guard standardError > 0 else { return slope > bound ? 0 : 1 }
    return StudentT.upperTail((slope - bound) / standardError, degrees: degrees)
  }
}
