/// Where a number that trainers log leaves what healthy runs do.
package struct BehaviourBound: Equatable, Sendable {
  /// What one in two hundred healthy runs of the calibration exceeds at most.
  package let value: Double
  /// The healthy runs' largest values, ascending.
  package let healthy: [Double]
  /// How many of the runs that collapsed stayed below it until then.
  package let misses: Int
  package let collapsedRuns: Int

  package init(value: Double, healthy: [Double], misses: Int, collapsedRuns: Int) {
    (self.value, self.healthy) = (value, healthy)
    (self.misses, self.collapsedRuns) = (misses, collapsedRuns)
  }

  /// The chance that a healthy run's largest value is as large: a conformal p-value, as those of strides. Nil for a run of another kind.
  func pValue(_ value: Double, in run: RunEvidence) -> Double? {
    CalibratedRange.gap(of: run) == nil ? HealthyRuns.pValue(of: value, among: healthy) : nil
  }

  var falseAlarms: String {
    "\(healthy.count { $0 > value }) of \(healthy.count) healthy runs, from which it was taken"
  }
  var missed: String { "\(misses) of \(collapsedRuns) collapsed ones, until they had" }
}

/// How rules of behaviour err whose bounds are no numbers of the calibration: on the test half of the corpus, or else on earlier laboratory runs.
enum BehaviourErrors {
  static let collapse = "1 of 326 clean runs of the test half"
  static let collapseMisses = "467 of 479 collapsed ones, until they had"
  static let fall = "0 of 398 healthy runs"
  static let confirmed = "1 of 326 clean runs of the test half"
  static let length = "0 of 398 healthy runs"
}
