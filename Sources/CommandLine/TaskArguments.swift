import ArgumentParser
import Foundation
import Training

/// Which task, as options of the command line.
struct TaskArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The task: a built-in one, or the path of a file of questions, which ends in .jsonl or has a slash: one JSON object a "
        + "line with question and answer (default: \(TrainingConfiguration().task)).", valueName: "task"))
  var task: TaskName?

  @Option(
    help: ArgumentHelp(
      "How responses are held against a file's answers; \(QuestionOptions().verifier.kind) unless it is said.",
      valueName: "verifier"))
  var verifier: AnswerVerifier.Kind?

  @Option(
    help: ArgumentHelp(
      "How far a number may lie from the answer, relative to it beyond 1, with numeric and boxed (default: "
        + "\(AnswerVerifier.defaultTolerance)).", valueName: "t"))
  var tolerance: Double?

  @Option(
    help: ArgumentHelp(
      "The share of a file's questions that are held out of training, by their texts (default: "
        + "\(QuestionOptions().testShare)).", valueName: "share"))
  var testShare: Double?

  /// Throws where an option is given that the task does not take.
  func requireOptions(of configuration: TrainingConfiguration) throws {
    let given = [
      ("--verifier", verifier != nil), ("--tolerance", tolerance != nil), ("--test-share", testShare != nil),
    ]
    for (name, isGiven) in given where isGiven && !TaskRegistry.isFile(configuration.task) {
      throw ValidationError("\(name) goes with a file of questions as --task alone")
    }
    if tolerance != nil {
      if ![.numeric, .boxed].contains(configuration.questions.verifier.kind) {
        throw ValidationError("--tolerance goes with --verifier numeric or boxed alone")
      }
    }
  }

  /// The task by itself, whatever the base.
  ///
  /// - Throws: `FileError` where a file of questions cannot be read.
  func open() throws -> any VerifiableTask {
    var configuration = TrainingConfiguration()
    apply(to: &configuration)
    let name = configuration.task
    if TaskRegistry.isFile(name) { return try QuestionTask(path: name, configuration.questions) }
    guard let task = TaskRegistry.task(named: name) else { throw TrainingError.unknownTask(name) }
    return task
  }

  func apply(to configuration: inout TrainingConfiguration) {
    if let task { configuration.task = task.name }
    if let verifier { configuration.questions.verifier.kind = verifier }
    if let tolerance { configuration.questions.verifier.tolerance = tolerance }
    if let testShare { configuration.questions.testShare = testShare }
  }
}

extension AnswerVerifier.Kind: ExpressibleByArgument {}

/// A built-in task, or the path of a file of questions.
struct TaskName: ExpressibleByArgument {
  let name: String

  init(name: String) { self.name = name }

  init?(argument: String) {
    if TaskRegistry.isFile(argument) {
      self.init(name: URL(fileURLWithPath: argument).standardizedFileURL.path)
    } else if let task = TaskRegistry.task(named: argument) {
      self.init(name: task.name)
    } else {
      return nil
    }
  }

  static var allValueStrings: [String] { TaskRegistry.all.map(\.name) }
}
