import ArgumentParser
import Training

private let defaults = TrainingConfiguration()

/// How to train, as options of the command line. What is not given is left as it is.
struct TrainingArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The learning rate of AdamW, constant behind the warm-up (default: \(defaults.learningRate)).", valueName: "rate")
  )
  var learningRate: Double?

  @Option(
    help: ArgumentHelp("Steps over which the learning rate rises (default: \(defaults.warmupSteps)).", valueName: "n"))
  var warmupSteps: Int?

  @Option(help: ArgumentHelp("Training steps (default: \(defaults.steps)).", valueName: "n"))
  var steps: Int?

  @Option(help: "Seed of all random numbers (default: \(defaults.seed)).")
  var seed: Int?

  @OptionGroup var objective: ObjectiveArguments

  @Option(help: ArgumentHelp("Prompts a step (default: \(defaults.prompts)).", valueName: "n"))
  var prompts: Int?

  @Option(help: ArgumentHelp("Completions a prompt (default: \(defaults.groupSize)).", valueName: "n"))
  var groupSize: Int?

  @Option(
    help: ArgumentHelp(
      "Optimiser steps on each rollout; clipping acts from the second on (default: \(defaults.updatesPerRollout)).",
      valueName: "n"))
  var updatesPerRollout: Int?

  @Option(help: ArgumentHelp("Sampling temperature (default: \(defaults.temperature)).", valueName: "t"))
  var temperature: Double?

  @Option(help: ArgumentHelp("Weight decay of AdamW (default: \(defaults.optimizer.weightDecay)).", valueName: "w"))
  var weightDecay: Double?

  @Option(
    help: ArgumentHelp(
      "A checkpoint, with accuracy and retention, every so many steps (default: \(defaults.checkpointEvery)).",
      valueName: "n"))
  var checkpointEvery: Int?

  @Option(
    help: ArgumentHelp(
      "End a run behind so many steps in a row without any reward, which teach nothing; 0 for never (default: "
        + "\(defaults.zeroRewardPatience); lab: \(Lab.patience)).", valueName: "n"))
  var zeroRewardPatience: Int?

  func apply(to configuration: inout TrainingConfiguration) {
    if let learningRate { configuration.learningRate = learningRate }
    if let warmupSteps { configuration.warmupSteps = warmupSteps }
    if let steps { configuration.steps = steps }
    if let seed { configuration.seed = seed }
    objective.apply(to: &configuration)
    if let prompts { configuration.prompts = prompts }
    if let groupSize { configuration.groupSize = groupSize }
    if let updatesPerRollout { configuration.updatesPerRollout = updatesPerRollout }
    if let temperature { configuration.temperature = temperature }
    if let weightDecay { configuration.optimizer.weightDecay = weightDecay }
    if let checkpointEvery { configuration.checkpointEvery = checkpointEvery }
    if let zeroRewardPatience { configuration.zeroRewardPatience = zeroRewardPatience }
  }
}

extension TrainingConfiguration {
  /// Throws where a value is out of its range, by the name of its option.
  func validate() throws {
    guard let (name, problem) = problem else { return }
    throw ValidationError("--\(Self.option(of: name)) \(problem)")
  }

  /// The option that sets a member of the record.
  static func option(of member: String) -> String {
    let others = ["pissa_iterations": "pissa-niter", "adalora_allocates": "adalora-fixed-rank"]
    return others[member] ?? member.replacing("_", with: "-")
  }
}
