/// How a run ended, in a word: the laboratory's rule, which looks back from the end and warns of nothing.
package enum RunLabel: String, CaseIterable, Sendable {
  /// None of the others.
  case clean
  /// The last accuracy is below 85 % of the peak, or retention below 0.95: it lost some of what it had learned, or of what it knew.
  case damaged
  /// The last accuracy is below half of the peak.
  case collapsed
  /// The last accuracy is less than 0.05 above the first.
  case unlearned

  /// The first of collapsed, damaged, unlearned and clean that applies.
  ///
  /// - Parameter accuracies: held-out accuracy at the start and at every checkpoint, in this order. The peak is the largest of them, the
  ///   start included.
  /// - Parameter retention: accuracy at the end on what the base knew; nil where it was not measured, which damages nothing.
  /// - Returns: nil without any accuracy.
  package init?(accuracies: [Double], retention: Double?) {
    guard let start = accuracies.first, let end = accuracies.last else { return nil }
    let peak = accuracies.max()!
    if end < 0.5 * peak {
      self = .collapsed
    } else if end < 0.85 * peak || retention.map({ $0 < 0.95 }) ?? false {
      self = .damaged
    } else if end - start < 0.05 {
      self = .unlearned
    } else {
      self = .clean
    }
  }
}
