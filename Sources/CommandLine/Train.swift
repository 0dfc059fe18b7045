import Adapters
import ArgumentParser
import Foundation
import Measurement
import RunStore
import Training
import Weights

/// `spectroscope train`.
struct Train: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Fine-tunes a small base model with one method and writes a run folder.",
    discussion: """
      Group-relative policy optimisation with verifiable rewards (grpo, dapo, dr-grpo), or supervised learning of the task's \
      responses (sft). The run folder holds the adapters at step 0 and at every checkpoint, and what each step measured: \
      `spectroscope analyze` and `spectroscope export` read it. The same seed gives the same content on any number of threads.
      """)

  @Option(help: ArgumentHelp("The run folder to write; it must not hold a run yet.", valueName: "dir"))
  var out: String

  @Option(
    help: ArgumentHelp(
      "The base's folder: a Hugging Face model of the Qwen2 or Llama family with one token a character (default: the one "
        + "that is a part of this program).", valueName: "dir"))
  var base: String?

  @OptionGroup(title: "Method") var adapter: AdapterArguments
  @OptionGroup(title: "Training") var training: TrainingArguments
  @OptionGroup var threads: ThreadOptions

  @Flag(help: "Print no progress and no notes.")
  var quiet = false

  func validate() throws {
    if out.isEmpty { throw ValidationError("--out must name a folder, found an empty text") }
    if base?.isEmpty == true { throw ValidationError("--base must name a folder, found an empty text") }
  }

  func run() throws {
    var configuration = TrainingConfiguration()
    if let base { configuration.base = URL(fileURLWithPath: base).standardizedFileURL.path }
    adapter.apply(to: &configuration)
    training.apply(to: &configuration)
    let progress = quiet ? nil : ProgressLine()
    defer { progress?.clear() }
    Interruption.listen()
    let session = TrainingSession(configuration, out: out, threads: threads.count)
    let ending = try session.run { record in progress?.show(Self.text(record, of: configuration.steps)) }
    progress?.clear()
    if case .interrupted(let step) = ending {
      throw TrainingInterrupted(message: "the run in \(out) ends with a checkpoint of step \(step)")
    }
    if !quiet { Console.error("wrote \(out)") }
  }

  /// One line for a step: where it is, and how it goes.
  static func text(_ record: TrainingRecord, of steps: Int) -> String {
    var text = "step \(record.step)/\(steps)"
    for (name, column) in [("reward", "reward"), ("loss", "loss"), ("KL", "kl"), ("velocity", "update_velocity")] {
      if let value = record[column] { text += String(format: "  \(name) %.3g", value) }
    }
    return text
  }
}

/// Which adapter, as options of the command line.
struct AdapterArguments: ParsableArguments {
  @Option(help: "The method.")
  var method: TrainableMethod = .init(method: TrainingConfiguration().method)

  @Option(help: ArgumentHelp("Rank r of the update.", valueName: "r"))
  var rank = AdapterOptions().rank

  @Option(help: ArgumentHelp("α; the update is scaled by α/r.", valueName: "alpha"))
  var alpha = AdapterOptions().alpha

  @Option(
    help: ArgumentHelp(
      "Start PiSSA from a randomised decomposition with so many power iterations, as PEFT's pissa_niter_k (default: an "
        + "exact one).", valueName: "k"))
  var pissaNiter: Int?

  @Option(
    help: ArgumentHelp(
      "The linear layers to adapt, by the ends of their names, with commas between them (default: all seven).",
      valueName: "names"))
  var targets: String?

  func validate() throws {
    if rank < 1 { throw ValidationError("--rank must be at least 1, found \(rank)") }
    if !(alpha > 0 && alpha.isFinite) { throw ValidationError("--alpha must be a positive number, found \(alpha)") }
    if let pissaNiter {
      if pissaNiter < 0 { throw ValidationError("--pissa-niter must be at least 0, found \(pissaNiter)") }
      if method.method != .pissa { throw ValidationError("--pissa-niter goes with --method pissa alone") }
    }
    if targets?.isEmpty == true { throw ValidationError("--targets must name layers, found an empty text") }
  }

  func apply(to configuration: inout TrainingConfiguration) {
    configuration.method = method.method
    configuration.adapter = AdapterOptions(rank: rank, alpha: alpha, pissaIterations: pissaNiter)
    if let targets { configuration.targets = targets.split(separator: ",").map(String.init) }
  }
}

/// How to train, as options of the command line.
struct TrainingArguments: ParsableArguments {
  @Option(help: ArgumentHelp("The learning rate of AdamW, constant behind the warm-up.", valueName: "rate"))
  var learningRate = TrainingConfiguration().learningRate

  @Option(help: ArgumentHelp("Steps over which the learning rate rises.", valueName: "n"))
  var warmupSteps = TrainingConfiguration().warmupSteps

  @Option(help: ArgumentHelp("Training steps.", valueName: "n"))
  var steps = TrainingConfiguration().steps

  @Option(help: "Seed of all random numbers.")
  var seed = TrainingConfiguration().seed

  @Option(help: "The task.")
  var task: TaskName = .init(name: TrainingConfiguration().task)

  @OptionGroup var objective: ObjectiveArguments

  @Option(help: ArgumentHelp("Prompts a step.", valueName: "n"))
  var prompts = TrainingConfiguration().prompts

  @Option(help: ArgumentHelp("Completions a prompt.", valueName: "n"))
  var groupSize = TrainingConfiguration().groupSize

  @Option(help: ArgumentHelp("Optimiser steps on each rollout; clipping acts from the second on.", valueName: "n"))
  var updatesPerRollout = TrainingConfiguration().updatesPerRollout

  @Option(help: ArgumentHelp("Sampling temperature.", valueName: "t"))
  var temperature = TrainingConfiguration().temperature

  @Option(help: ArgumentHelp("Weight decay of AdamW.", valueName: "w"))
  var weightDecay = TrainingConfiguration().optimizer.weightDecay

  @Option(help: ArgumentHelp("A checkpoint, with accuracy and retention, every so many steps.", valueName: "n"))
  var checkpointEvery = TrainingConfiguration().checkpointEvery

  @Option(
    help: ArgumentHelp(
      "End a run behind so many steps in a row without any reward, which teach nothing; 0 for never (default: "
        + "\(TrainingConfiguration().zeroRewardPatience); lab: \(Lab.patience)).", valueName: "n"))
  var zeroRewardPatience: Int?

  func validate() throws {
    let counts = [
      ("--steps", steps), ("--prompts", prompts), ("--group-size", groupSize),
      ("--updates-per-rollout", updatesPerRollout), ("--checkpoint-every", checkpointEvery),
    ]
    for (name, value) in counts where value < 1 { throw ValidationError("\(name) must be at least 1, found \(value)") }
    for (name, value) in [("--learning-rate", learningRate), ("--temperature", temperature)]
    where !(value > 0 && value.isFinite) {
      throw ValidationError("\(name) must be a positive number, found \(value)")
    }
    if !(weightDecay >= 0 && weightDecay.isFinite) {
      throw ValidationError("--weight-decay must be 0 or a positive number, found \(weightDecay)")
    }
    if let zeroRewardPatience, zeroRewardPatience < 0 {
      throw ValidationError("--zero-reward-patience must be at least 0, found \(zeroRewardPatience)")
    }
    if warmupSteps < 0 { throw ValidationError("--warmup-steps must be at least 0, found \(warmupSteps)") }
    let name = objective.objective.rawValue
    if objective.objective.isReinforcement, groupSize < 2 {
      throw ValidationError(
        "--group-size must be at least 2 for \(name), which compares completions, found \(groupSize)")
    }
  }

  func apply(to configuration: inout TrainingConfiguration) {
    (configuration.learningRate, configuration.warmupSteps) = (learningRate, warmupSteps)
    (configuration.steps, configuration.seed) = (steps, seed)
    configuration.task = task.name
    objective.apply(to: &configuration)
    (configuration.prompts, configuration.groupSize) = (prompts, groupSize)
    configuration.updatesPerRollout = updatesPerRollout
    configuration.temperature = temperature
    configuration.optimizer.weightDecay = weightDecay
    configuration.checkpointEvery = checkpointEvery
    if let zeroRewardPatience { configuration.zeroRewardPatience = zeroRewardPatience }
  }
}

/// The methods that can be trained.
struct TrainableMethod: ExpressibleByArgument {
  let method: AdapterMethod

  init(method: AdapterMethod) { self.method = method }

  init?(argument: String) {
    guard let method = AdapterMethod.trainable.first(where: { $0.rawValue == argument }) else { return nil }
    self.init(method: method)
  }

  var defaultValueDescription: String { method.rawValue }
  static var allValueStrings: [String] { AdapterMethod.trainable.map(\.rawValue) }
}

/// The built-in tasks.
struct TaskName: ExpressibleByArgument {
  let name: String

  init(name: String) { self.name = name }

  init?(argument: String) {
    guard TaskRegistry.task(named: argument) != nil else { return nil }
    self.init(name: argument)
  }

  var defaultValueDescription: String { name }
  static var allValueStrings: [String] { TaskRegistry.all.map(\.name) }
}
