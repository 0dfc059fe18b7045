/// How often healthy laboratory runs cross a bound.
enum HealthyRuns {
  static let count = 398

  /// The chance that a healthy run crosses it: the share of those runs, this one counted among them (a conformal p-value, of the run's
  /// extreme, so that looking at every step costs nothing). Nil for a run of another kind.
  static func pValue(beyond: Int, of count: Int = count, in run: RunEvidence) -> Double? {
    CalibratedRange.gap(of: run) == nil ? Double(beyond + 1) / Double(count + 1) : nil
  }
}
