import ArgumentParser
import Foundation
import Training
import Weights

/// `spectroscope pretrain`.
struct Pretrain: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Makes a small base model by supervised learning.",
    discussion: """
      A decoder of the Qwen2 family learns short string tasks, sums and products, and the task only by half, from which \
      reinforcement learning can go on; or it learns the answers of a file of questions, with the characters of the file as its \
      vocabulary. Writes a Hugging Face folder that transformers loads. With its defaults it makes the base that is a part of \
      this program.
      """)

  @Option(help: ArgumentHelp("The folder to write.", valueName: "dir"))
  var out: String

  @Option(help: ArgumentHelp("Optimiser steps.", valueName: "n"))
  var steps = PretrainingConfiguration().steps

  @Option(help: ArgumentHelp("Examples a step.", valueName: "n"))
  var batchSize = PretrainingConfiguration().batchSize

  @Option(help: ArgumentHelp("The largest learning rate, behind the warm-up.", valueName: "rate"))
  var learningRate = PretrainingConfiguration().learningRate

  @Option(help: ArgumentHelp("Width of the model.", valueName: "n"))
  var hiddenSize = PretrainingConfiguration().hiddenSize

  @Option(help: ArgumentHelp("Width of the feed-forward blocks.", valueName: "n"))
  var intermediateSize = PretrainingConfiguration().intermediateSize

  @Option(help: ArgumentHelp("Layers of the model.", valueName: "n"))
  var layers = PretrainingConfiguration().layerCount

  @Option(help: ArgumentHelp("Attention heads; their number divides the width.", valueName: "n"))
  var heads = PretrainingConfiguration().headCount

  @Option(help: ArgumentHelp("Key and value heads; their number divides that of the heads.", valueName: "n"))
  var keyValueHeads = PretrainingConfiguration().keyValueHeadCount

  @Option(help: "Seed of all random numbers.")
  var seed = PretrainingConfiguration().seed

  @OptionGroup(title: "Task") var task: TaskArguments
  @OptionGroup var threads: ThreadOptions

  @Flag(help: "Print no progress.")
  var quiet = false

  func validate() throws {
    if out.isEmpty { throw ValidationError("--out must name a folder, found an empty text") }
    var configuration = TrainingConfiguration()
    task.apply(to: &configuration)
    try task.requireOptions(of: configuration)
    try configuration.validate()
    let counts = [
      ("--steps", steps), ("--batch-size", batchSize), ("--hidden-size", hiddenSize),
      ("--intermediate-size", intermediateSize), ("--layers", layers), ("--heads", heads),
      ("--key-value-heads", keyValueHeads),
    ]
    for (name, value) in counts where value < 1 { throw ValidationError("\(name) must be at least 1, found \(value)") }
    if hiddenSize % heads != 0 || (hiddenSize / heads) % 2 != 0 {
      throw ValidationError("--hidden-size must be an even multiple of --heads, found \(hiddenSize) and \(heads)")
    }
    if heads % keyValueHeads != 0 {
      throw ValidationError("--heads must be a multiple of --key-value-heads, found \(heads) and \(keyValueHeads)")
    }
    if !(learningRate > 0 && learningRate.isFinite) {
      throw ValidationError("--learning-rate must be a positive number, found \(learningRate)")
    }
  }

  func run() throws {
    if FileManager.default.fileExists(atPath: out + "/config.json") {
      throw FileError(.cannotCreate, path: out, "the folder holds a model already", remedy: "Name a new folder")
    }
    var configuration = PretrainingConfiguration()
    (configuration.steps, configuration.batchSize, configuration.learningRate) = (steps, batchSize, learningRate)
    (configuration.hiddenSize, configuration.intermediateSize) = (hiddenSize, intermediateSize)
    (configuration.layerCount, configuration.headCount) = (layers, heads)
    (configuration.keyValueHeadCount, configuration.seed) = (keyValueHeads, seed)
    let task = try task.open()
    Interruption.listen()
    let model = try Pretraining(configuration, task: task, threads: threads.count).run(
      shouldStop: { Interruption.isWished }, report: show)
    guard let model else { throw TrainingInterrupted(message: "nothing was written") }
    try model.write(to: out)
    if !quiet { Console.error("wrote \(out)") }
  }

  private func show(_ progress: Pretraining.Progress) {
    if quiet { return }
    func percent(_ value: Double?) -> String { value.map { String(format: "%5.1f %%", 100 * $0) } ?? "–" }
    Console.error(
      String(format: "step %5d/%d  loss %.4f  ", progress.step, progress.steps, progress.loss)
        + "accuracy \(percent(progress.accuracy))  retention \(percent(progress.retention))")
  }
}

/// How many threads to work with.
struct ThreadOptions: ParsableArguments {
  @Option(
    name: .customLong("threads"),
    help: ArgumentHelp(
      "How many threads to work with (default: the number of cores). Results do not depend on it.", valueName: "n"))
  var given: Int?

  func validate() throws {
    if let given, given < 1 { throw ValidationError("--threads must be at least 1, found \(given)") }
  }

  var count: Int { given ?? Analyze.availableCores }
}

/// Thrown where Ctrl-C ended a training run.
struct TrainingInterrupted: Error {
  /// What is left of it.
  var message: String
}
