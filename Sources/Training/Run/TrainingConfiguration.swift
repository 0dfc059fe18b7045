import Adapters
import Weights

/// What a training run does; together with the base it decides every number of the run. The one owner of the defaults.
package struct TrainingConfiguration: Equatable, Sendable {
  /// The folder of the base, or `embedded`.
  package var base = TrainingConfiguration.embeddedBase
  package var method = AdapterMethod.lora
  package var adapter = AdapterOptions()
  /// The ends of the names of the linear layers that are adapted.
  package var targets = AdapterSet<Float>.allTargets
  package var learningRate = 1e-3
  /// The rate rises linearly over so many steps, and is constant from then on.
  package var warmupSteps = 0
  package var steps = 60
  package var seed = 0
  /// The name of the task.
  package var task = TwoStepArithmetic().name
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

  /// The configuration with the names of the command line, for the run's record.
  package var json: JSONValue {
    [
      "base": .string(base), "method": .string(method.rawValue), "rank": .integer(adapter.rank),
      "alpha": .number(adapter.alpha),
      "pissa_iterations": adapter.pissaIterations.map(JSONValue.integer) ?? .null,
      "targets": .array(targets.map(JSONValue.string)), "learning_rate": .number(learningRate),
      "warmup_steps": .integer(warmupSteps),
      "steps": .integer(steps), "seed": .integer(seed), "task": .string(task),
      "objective": .string(objective.rawValue), "prompts": .integer(prompts), "group_size": .integer(groupSize),
      "updates_per_rollout": .integer(updatesPerRollout), "temperature": .number(temperature),
      "loss_aggregation": .string(policyLoss.aggregation.rawValue),
      "scale_rewards": .string(policyLoss.rewardScale.rawValue),
      "overlong": .string(overlong.handling.rawValue),
      "overlong_cache": overlong.cache.map(JSONValue.integer) ?? .null,
      "dynamic_sampling": .bool(dynamicSampling.isOn), "most_sampling_rounds": .integer(dynamicSampling.mostRounds),
      "clip_low": .number(policyLoss.clipLow), "clip_high": .number(policyLoss.clipHigh),
      "kl_coefficient": .number(policyLoss.klCoefficient), "beta1": .number(optimizer.beta1),
      "beta2": .number(optimizer.beta2), "epsilon": .number(optimizer.epsilon),
      "weight_decay": .number(optimizer.weightDecay), "maximum_gradient_norm": .number(maximumGradientNorm),
      "checkpoint_every": .integer(checkpointEvery), "held_out": .integer(heldOutCount),
      "retention": .integer(retentionCount), "zero_reward_patience": .integer(zeroRewardPatience),
      "measures_kl": .bool(telemetry.measuresKL),
      "measures_velocity": .bool(telemetry.measuresVelocity),
    ]
  }
}
