import Adapters

/// What a training run does; together with the base it decides every number of the run. The one owner of the defaults.
package struct TrainingConfiguration: Equatable, Sendable {
  /// The folder of the base, or `embedded`.
  package var base = TrainingConfiguration.embeddedBase
  package var method = AdapterMethod.lora
  package var adapter = AdapterOptions()
  /// The ends of the names of the layers that are adapted; nil for the method's own choice.
  package var targets: [String]?
  package var learningRate = 1e-3
  /// The rate rises linearly over so many steps, and is constant from then on.
  package var warmupSteps = 0
  package var steps = 60
  package var seed = 0
  /// The name of the task, or the path of a file of questions.
  package var task = TwoStepArithmetic().name
  /// How a file of questions is used; without meaning for a task that is built in.
  package var questions = QuestionOptions()
  /// The SHA-256 of the file of questions, once it is opened; nil for a task that is built in.
  package var taskSHA256: String?
  /// It brings `policyLoss`, `overlong` and `dynamicSampling` along.
  package var objective = Objective.grpo
  package var overrides = ObjectiveOverrides()
  /// Prompts a step.
  package var prompts = 16
  /// Completions a prompt.
  package var groupSize = 8
  /// Optimiser steps on the completions of one rollout; from the second on the ratio to the weights that drew them is clipped.
  package var updatesPerRollout = 1
  package var temperature = 1.0
  package var optimizer = AdamWOptions()
  /// Longer gradients are scaled down to this norm.
  package var maximumGradientNorm = 1.0
  /// A checkpoint, and a measurement of accuracy and retention, every so many steps.
  package var checkpointEvery = 5
  /// Held-out problems, for accuracy.
  package var heldOutCount = HeldOutSet.defaultCount
  /// Problems of another task, for retention.
  package var retentionCount = HeldOutSet.defaultCount
  /// The run ends behind so many steps in a row without any reward, with a checkpoint; 0 for never. See `RewardPatience`.
  package var zeroRewardPatience = 0
  /// What is measured beside training itself.
  package var telemetry = Telemetry()

  /// What is measured beside training itself. Turning it off changes no other number.
  package struct Telemetry: Equatable, Sendable {
    /// The KL divergence to the base, every step.
    package var measuresKL = true
    /// The velocity of the update, every step.
    package var measuresVelocity = true

    package init() {}
    package static let off = {
      var telemetry = Telemetry()
      (telemetry.measuresKL, telemetry.measuresVelocity) = (false, false)
      return telemetry
    }()
  }

  /// The name of the base that is a part of the program.
  package static let embeddedBase = "embedded"

  package init() {}
}

extension TrainingConfiguration {
  /// The learning rate of a step, counted from 1.
  package func learningRate(at step: Int) -> Double {
    step < warmupSteps ? learningRate * Double(step) / Double(warmupSteps) : learningRate
  }

  /// Optimiser steps of the whole run, where each rollout has something to teach.
  package var updateCount: Int { steps * updatesPerStep }

  /// Supervised learning has no rollout to use again.
  package var updatesPerStep: Int { objective.isReinforcement ? updatesPerRollout : 1 }

  /// The adapter's options with nothing left to defaults of the method.
  package var resolvedAdapter: ResolvedAdapterOptions { adapter.resolved(for: method) }
}
