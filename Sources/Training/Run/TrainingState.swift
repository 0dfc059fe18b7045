import Adapters

/// What a run has to remember beside its adapters to go on as if it had never stopped.
///
/// Random numbers are no part of it: each is drawn from a stream of its seed, step and purpose.
package struct TrainingState: Equatable, Sendable {
  /// The steps done.
  package var step: Int
  package var optimizer: AdamW<Float>.State
  package var allocator: RankAllocator<Float>.State?
  /// The KL divergence of the last step, which the next one's increment refers to.
  package var previousKL: Double?
  /// The last steps in a row that had no reward.
  package var stepsWithoutReward: Int
  /// What the configured learning rate is multiplied by.
  package var rateFactor: Double
  /// How often an observer has taken something back.
  package var interventions: Int

  package init(
    step: Int, optimizer: AdamW<Float>.State, allocator: RankAllocator<Float>.State? = nil, previousKL: Double? = nil,
    stepsWithoutReward: Int = 0, rateFactor: Double = 1, interventions: Int = 0
  ) {
    self.step = step
    self.optimizer = optimizer
    self.allocator = allocator
    self.previousKL = previousKL
    self.stepsWithoutReward = stepsWithoutReward
    (self.rateFactor, self.interventions) = (rateFactor, interventions)
  }
}
