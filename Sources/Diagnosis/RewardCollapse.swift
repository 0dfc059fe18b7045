/// Whether and when a reward collapsed for good, from its curve alone.
///
/// The rule by which runs are labelled: the mean reward of the last three steps ends below half of the larger of the first reward and the
/// curve's own peak. Looking back from the end, it can name an onset; it warns of nothing.
package struct RewardCollapse: Equatable, Sendable {
  /// The first step of the final stretch below half.
  package var onset: Int
  /// What the reward fell from.
  package var peak: Double

  /// - Parameter rewards: (step, mean reward), in the order of steps.
  /// - Returns: nil where the reward did not collapse, or there are fewer than three.
  package init?(_ rewards: [(step: Int, reward: Double)]) {
    let width = 3
    guard rewards.count >= width else { return nil }
    let trailing = (width...rewards.count).map { end in
      (step: rewards[end - 1].step, mean: rewards[end - width..<end].reduce(0) { $0 + $1.reward } / Double(width))
    }
    let peak = max(rewards[0].reward, trailing.map(\.mean).max()!)
    guard trailing.last!.mean < peak / 2 else { return nil }
    let lastAbove = trailing.lastIndex { $0.mean >= peak / 2 }
    // Before the first trailing mean the curve counts as above.
    onset = trailing[lastAbove.map { $0 + 1 } ?? 0].step
    self.peak = peak
  }
}
