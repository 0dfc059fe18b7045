import Diagnosis
import Testing

/// The laboratory's rule at its boundaries.
@Suite struct RunLabelTests {
  @Test(arguments: [
    ([0.25, 0.75, 0.875], 1.0 as Double?, RunLabel.clean),
    // Exactly half of the peak is not collapsed, and below 85 % of it damaged.
    ([0.25, 1, 0.5], 1, .damaged), ([0.25, 1, 0.4999], 1, .collapsed),
    // The peak includes the start: a run that only falls has collapsed too.
    ([0.5, 0.25], 1, .damaged), ([0.5, 0.2499], 1, .collapsed), ([0.5, 0.1, 0.2], 1, .collapsed),
    // At least 85 % of the peak, which is not the last accuracy.
    ([0.25, 1, 0.85], 1, .clean), ([0.25, 1, 0.8499], 1, .damaged),
    ([0.25, 0.875], 0.95, .clean), ([0.25, 0.875], 0.9499, .damaged), ([0.25, 0.875], nil, .clean),
    // Gained exactly 0.0625, 0.05 but for rounding, and less.
    ([0.25, 0.3125], 1, .clean), ([0.0, 0.05], 1, .clean), ([0.25, 0.2999], 1, .unlearned), ([0.4], 1, .unlearned),
    // What is damaged is no longer unlearned; a loss within 85 % is unlearned.
    ([0.4, 0.41], 0.5, .damaged), ([0.4, 0.36], 1, .unlearned), ([0.0, 0.0], 1, .unlearned),
  ])
  func theRule(accuracies: [Double], retention: Double?, label: RunLabel) {
    #expect(RunLabel(accuracies: accuracies, retention: retention) == label)
  }

  @Test func nothingIsSaidOfNothing() { #expect(RunLabel(accuracies: [], retention: 1) == nil) }
}
