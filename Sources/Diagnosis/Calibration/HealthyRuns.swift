/// How often healthy laboratory runs cross a bound.
package enum HealthyRuns {
  static let count = 398

  /// The chance that a healthy run crosses it: the share of those runs, this one counted among them (a conformal p-value, of the run's
  /// extreme, so that looking at every step costs nothing). Nil for a run of another kind.
  static func pValue(beyond: Int, of count: Int = count, in run: RunEvidence) -> Double? {
    CalibratedRange.gap(of: run) == nil ? pValue(beyond: beyond, of: count) : nil
  }

  /// The same of a number, against those of healthy runs.
  ///
  /// - Parameter healthy: ascending.
  package static func pValue(of value: Double, among healthy: [Double]) -> Double {
    pValue(beyond: healthy.count - healthy.partitioningIndex { $0 >= value }, of: healthy.count)
  }

  private static func pValue(beyond: Int, of count: Int) -> Double { Double(beyond + 1) / Double(count + 1) }
}
