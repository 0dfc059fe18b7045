import ArgumentParser
import Diagnosis
import Foundation
import Measurement
import Reporting
import RunStore
import Weights

/// `spectroscope watch`.
struct Watch: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Follows the folder in which a trainer writes its checkpoints, and alerts.",
    discussion: """
      Each checkpoint is measured once, as soon as it is complete: when the trainer has written what it writes last (trainer_state.json; verl's \
      latest_checkpointed_iteration.txt), or when it has been left alone for --settling seconds. What was measured stays when the trainer deletes the folder. \
      The state, with an analysis that other commands read (analysis.h5), is kept in .spectroscope of the folder; the same command goes on with it.

      An alert is a finding that fails under --policy; each rule alerts once. The commands, files and addresses below are told of it; one that fails is told \
      again at the next look, and never holds up the others. Updates are measured against the base at depth geometry as soon as its spectral basis is there \
      (`spectroscope basis`), and until then at depth update.

      With --once it looks once, and ends with the gate's exit code: 0 healthy, 1 alert, 2 inconclusive or nothing to judge yet. Otherwise it goes on until it is \
      interrupted, which is its usual end, with code 0.
      """)

  @Argument(help: ArgumentHelp("The folder in which the trainer writes.", valueName: "dir"))
  var folder: String

  @Option(help: ArgumentHelp("The base model's folder.", valueName: "dir"))
  var base: String

  @Option(help: ArgumentHelp("The adapter as it was at step 0, where it is kept elsewhere.", valueName: "dir"))
  var initial: String?

  @Option(help: "The method, where the files cannot tell.")
  var method: StatedMethod?

  @Option(
    help: ArgumentHelp("The folder that keeps the base's spectral basis (default: a cache folder).", valueName: "dir"))
  var basis: String?

  @Option(help: ArgumentHelp("The folder for the state (default: .spectroscope in <dir>).", valueName: "dir"))
  var state: String?

  @Option(help: ArgumentHelp("What may pass, as YAML (default: alerts fail).", valueName: "file"))
  var policy: String?

  @Option(help: ArgumentHelp("Seconds from one look to the next.", valueName: "s"))
  var interval = 10.0

  @Option(
    help: ArgumentHelp(
      "Seconds for which a checkpoint without a mark of its end must have been left alone.", valueName: "s"))
  var settling = 30.0

  @Option(help: ArgumentHelp("How many modules to measure at once (default: the number of cores).", valueName: "n"))
  var jobs: Int?

  @Flag(help: "Look once, and end with the gate's exit code.")
  var once = false

  @OptionGroup(title: "Alerts") var receivers: ReceiverArguments

  @Flag(help: "Print no notes; alerts and errors remain.")
  var quiet = false

  func validate() throws {
    for (name, value) in [("<dir>", folder), ("--base", base)] where value.isEmpty {
      throw ValidationError("\(name) must name a folder, found an empty text")
    }
    if !(interval.isFinite && interval >= 0.1) {
      throw ValidationError("--interval must be at least 0.1, found \(interval)")
    }
    if !(settling.isFinite && settling >= 0) {
      throw ValidationError("--settling must be at least 0, found \(settling)")
    }
    if let jobs, jobs < 1 { throw ValidationError("--jobs must be at least 1, found \(jobs)") }
  }

  func run() throws {
    let policy = try policy.map { path throws(FileError) in try PolicyFile.read(from: path) } ?? GatePolicy()
    guard FileManager.default.fileExists(atPath: folder) else {
      throw FileError(
        .cannotOpen, path: folder, "expected the folder in which a trainer writes, found none", remedy: "Check the path"
      )
    }
    var options = FollowOptions(
      source: folder, base: base, state: state, initial: initial, method: method?.method,
      basis: BasisFolder(path: basis ?? BasisLocation.cache(for: base)), jobs: jobs ?? Analyze.availableCores)
    options.settling = settling
    Interruption.listen()
    let session = try WatchSession(options, policy: policy, receivers: receivers.receivers, isQuiet: quiet)
    defer { session.end(within: Self.farewell) }
    let outcome = try session.look()
    if once {
      session.end(within: Self.farewell)
      if Interruption.isWished { throw ExitCode(130) }
      return try end(with: outcome)
    }
    while !Interruption.isWished {
      Interruption.wait(interval)
      guard !Interruption.isWished else { break }
      _ = try session.look()
    }
  }

  /// How long the end waits for alerts that are on their way, in seconds.
  private static let farewell = 15.0

  private func end(with outcome: Verdict.Outcome?) throws {
    let code = (outcome ?? .inconclusive).exitCode
    if code != 0 { throw ExitCode(code) }
  }
}
