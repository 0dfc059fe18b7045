import Adapters
import ArgumentParser
import Diagnosis
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
      `spectroscope analyze` and `spectroscope export` read it. The same seed gives the same content on any number of threads. \
      A run that was interrupted or killed goes on with --resume from its last checkpoint, and ends as if it never had been.

      With --gate the verdict is asked for after every update, before the next completions are drawn. Where it fails, the run stops with exit code \
      1; or, as the policy says, the update is refused, or the run goes back to its last healthy checkpoint and on at a lower learning rate. What was done, \
      and what was undone, is kept in interventions.jsonl of the run folder.
      """)

  @Option(
    help: ArgumentHelp("The run folder to write; it must not hold a run yet, but with --resume.", valueName: "dir"))
  var out: String?

  @Flag(help: "Go on with the run in the folder, as it was begun; begin it where there is none.")
  var resume = false

  @Option(
    help: ArgumentHelp(
      "A JSON file of options by their names, such as {\"method\": \"dora\", \"learning-rate\": 0.003}; those of the "
        + "command line win.", valueName: "file"))
  var config: String?

  @Option(
    help: ArgumentHelp(
      "The base's folder: a Hugging Face model of the Qwen2 or Llama family with one token a character (default: the one "
        + "that is a part of this program).", valueName: "dir"))
  var base: String?

  @OptionGroup(title: "Method") var adapter: AdapterArguments
  @OptionGroup(title: "Task") var task: TaskArguments
  @OptionGroup(title: "Training") var training: TrainingArguments
  @OptionGroup var threads: ThreadOptions

  @Option(
    defaultAsFlag: .standard,
    help: ArgumentHelp(
      "Watch the run, and act as a policy says, a YAML file. With --resume the run goes on under the one that it was begun with.",
      valueName: "file"))
  var gate: GateChoice?

  @Flag(help: "Print no progress and no notes; what the gate does is said.")
  var quiet = false

  func validate() throws {
    if out?.isEmpty == true { throw ValidationError("--out must name a folder, found an empty text") }
    if base?.isEmpty == true { throw ValidationError("--base must name a folder, found an empty text") }
    // What a configuration file says comes first, and is not read here.
    if config == nil, !resume { _ = try layered(over: TrainingConfiguration()) }
  }

  /// What the command line says over the given configuration.
  private func layered(over given: TrainingConfiguration) throws -> TrainingConfiguration {
    var configuration = given
    try apply(to: &configuration)
    try adapter.requireOptions(of: [configuration.method])
    try task.requireOptions(of: configuration)
    try training.objective.requireOptions(of: configuration)
    try configuration.validate()
    return configuration
  }

  /// Sets what the command line says.
  private func apply(to configuration: inout TrainingConfiguration) throws {
    if let base { configuration.base = URL(fileURLWithPath: base).standardizedFileURL.path }
    adapter.apply(to: &configuration)
    task.apply(to: &configuration)
    training.apply(to: &configuration)
  }

  func run() throws {
    guard let config else { return try train() }
    try OptionFile.command(
      Self.self, from: OptionFile.object(at: config), at: config, negatable: ["--dynamic-sampling"],
      behind: Array(CommandLine.arguments.dropFirst(2))
    ).train()
  }

  private func train() throws {
    guard let out else { throw ValidationError("Missing expected argument '--out <dir>'") }
    guard let session = try session(out) else { return try sayHowItEnded(out) }
    let progress = quiet ? nil : ProgressLine()
    defer { progress?.clear() }
    Interruption.listen()
    var stop: Intervention?
    // The step that this process goes on from.
    var began: Int?
    let ending = try session.run(
      .init(
        record: { record in
          let done = MeasurementPlan.Progress(
            done: record.step, resumed: began ?? max(0, record.step - 1), total: session.configuration.steps)
          began = began ?? done.resumed
          progress?.show(done, "training", "steps", Self.text(record))
        },
        intervention: { intervention in
          if case .stopped = intervention.deed { stop = intervention }
          progress?.clear()
          Self.say(intervention)
        }))
    progress?.clear()
    if stop != nil { throw ExitCode(Verdict.Outcome.alert.exitCode) }
    if case .interrupted(let step) = ending {
      throw TrainingInterrupted(
        message: "the run in \(out) ends with a checkpoint of step \(step). The same command with --resume goes on")
    }
    if !quiet { Console.error("wrote \(out)") }
  }

  private static func say(_ intervention: Intervention) {
    Console.error("the gate \(intervention.text)")
    if let remedy = intervention.alarm.finding.remedy { Console.error(remedy) }
  }

  /// A run that its gate has stopped ends as it did then.
  private func sayHowItEnded(_ out: String) throws {
    let last = try RunFolder(path: out).records().records.last
    if let last, let stop = Intervention.stop(behind: last.step, in: out) {
      Self.say(stop)
      throw ExitCode(Verdict.Outcome.alert.exitCode)
    }
    if !quiet { Console.error("\(out) holds the whole run already") }
  }

  /// The run to train; nil for one that is to be resumed and has ended.
  private func session(_ out: String) throws -> TrainingSession? {
    if resume, RunFolder.isRun(at: out) { return try resumed(out) }
    return TrainingSession(
      try layered(over: TrainingConfiguration()), out: out, threads: threads.count, policy: try givenPolicy())
  }

  /// The session that goes on with the run in the folder, of the configuration that it was begun with.
  ///
  /// - Throws: where the command line or the configuration file says otherwise.
  private func resumed(_ out: String) throws -> TrainingSession? {
    let recorded = try TrainingSession.configuration(ofRun: out)
    if let name = try layered(over: recorded).differences(from: recorded).first {
      throw ValidationError(
        "the run in \(out) was begun with another --\(TrainingConfiguration.option(of: name)). Leave it out to go on with that "
          + "run, or name a new folder")
    }
    let policy = try RunPolicy(ofRun: out)
    guard policy != nil || !FileManager.default.fileExists(atPath: out + "/" + RunLayout.interventions) else {
      throw FileError(
        .cannotOpen, path: out + "/" + RunLayout.policy, "the run's gate has acted, and its policy is not there",
        remedy: "Restore it from a copy: the run cannot go on without it")
    }
    if let given = try givenPolicy(), given.policy != policy?.policy {
      throw ValidationError(
        "the run in \(out) was begun \(policy == nil ? "without --gate" : "with another --gate"). Leave it out to go on with that run, or name a new "
          + "folder")
    }
    let base = try RunFolder(path: out).identity.baseID
    if case .finished = try RunOutcome.state(of: out, recorded, baseID: base) { return nil }
    return TrainingSession(recorded, out: out, threads: threads.count, resumes: true, policy: policy)
  }

  /// That it cannot be read is better said before anything is trained.
  private func givenPolicy() throws(FileError) -> RunPolicy? {
    switch gate {
    case nil: nil
    case .standard: .standard
    case .file(let path): try RunPolicy(path: path)
    }
  }

  /// How a step went, in a few words.
  static func text(_ record: TrainingRecord) -> String {
    [("reward", "reward"), ("loss", "loss"), ("KL", "kl"), ("velocity", "update_velocity")].compactMap { name, column in
      record[column].map { String(format: "\(name) %.3g", $0) }
    }.joined(separator: "  ")
  }
}

/// What `--gate` names.
enum GateChoice: ExpressibleByArgument, CustomStringConvertible {
  case standard
  case file(String)

  var description: String {
    switch self {
    case .standard: "stop at an alert"
    case .file(let path): path
    }
  }

  init?(argument: String) {
    guard !argument.isEmpty else { return nil }
    self = .file(argument)
  }
}
