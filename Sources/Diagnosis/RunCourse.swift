/// How accuracy went over a whole run, from its curve alone: the label, and where a collapse began.
package struct RunCourse: Equatable, Sendable {
  /// The shape of the curve, beside the label.
  package enum Shape: String, CaseIterable, Sendable {
    /// None of the others.
    case steady
    /// It fell below 70 % of its peak so far and ended at 85 % of its peak or more.
    case dipAndRecover = "dip-and-recover"
    /// It rose by 0.05 or more above the start and ended below 85 % of its peak.
    case riseThenDecay = "rise-then-decay"
  }

  package var label: RunLabel
  package var shape: Shape
  /// The first step of the final stretch with an accuracy below half of the peak; nil unless the label is `collapsed`.
  package var onset: Int?
  package var start: Double
  package var peak: Double
  package var end: Double

  package init(label: RunLabel, shape: Shape, onset: Int?, start: Double, peak: Double, end: Double) {
    (self.label, self.shape, self.onset) = (label, shape, onset)
    (self.start, self.peak, self.end) = (start, peak, end)
  }

  /// - Parameter accuracies: held-out accuracy by step, ascending, the start first.
  /// - Parameter retention: accuracy at the end on what the base knew; nil where it was not measured.
  /// - Returns: nil without any accuracy.
  package init?(accuracies: Series, retention: Double?) {
    let values = accuracies.values
    guard let label = RunLabel(accuracies: values, retention: retention) else { return nil }
    self.label = label
    (start, peak, end) = (values[0], values.max()!, values.last!)
    let (start, peak, end) = (start, peak, end)
    if label == .collapsed {
      let lastAbove = accuracies.points.lastIndex { $0.value >= peak / 2 }!
      onset = accuracies.points[lastAbove + 1].step
    }
    var highest = 0.0
    let hasDipped = values.contains { value in
      highest = max(highest, value)
      return value < 0.7 * highest
    }
    if end < 0.85 * peak {
      shape = peak >= start + 0.05 ? .riseThenDecay : .steady
    } else {
      shape = hasDipped ? .dipAndRecover : .steady
    }
  }
}
