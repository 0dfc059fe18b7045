/// When a run may end for having no reward any more.
///
/// Where all completions of a step fail there is no gradient and the weights stay, so that the next step fails as well, but for the luck of
/// new prompts: a collapsed policy is an absorbing state. The laboratory's experiment stops after 20 such steps.
package struct RewardPatience: Sendable {
  /// 0 for no end.
  private let steps: Int
  /// Steps in a row without a reward so far.
  package var count = 0

  package init(_ configuration: TrainingConfiguration) { steps = configuration.zeroRewardPatience }

  /// Takes the next step's reward, nil where it has none; true from the step on with which as many in a row had a reward of 0.
  package mutating func isOver(reward: Double?) -> Bool {
    count = reward == 0 ? count + 1 : 0
    return isOver
  }

  /// True where so many steps had a reward of 0 already.
  package var isOver: Bool { steps > 0 && count >= steps }
}
