import Adapters
import ArgumentParser
import Foundation
import Measurement
import Reporting
import Weights

/// How deep an analysis goes.
enum Depth: String, ExpressibleByArgument, CaseIterable {
  case auto, update
}

/// `spectroscope analyze`.
struct Analyze: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Computes the spectrum of every module's update at every checkpoint.",
    discussion: """
      The source is a folder of checkpoints (checkpoint-N of the Hugging Face Trainer, TRL and unsloth; \
      global_step_N of verl; global_stepN_hf of OpenRLHF), or one PEFT adapter folder. \
      Read so far: \(PEFTMethods.analysed).

      An interrupted analysis goes on where it was when the same command is given again.
      """)

  @Argument(help: ArgumentHelp("A folder of checkpoints, or one adapter folder.", valueName: "source"))
  var source: String

  @Option(help: ArgumentHelp("The base model's folder: Hugging Face safetensors, sharded or not.", valueName: "dir"))
  var base: String

  @Option(help: ArgumentHelp("The analysis file to write (HDF5).", valueName: "file"))
  var out: String

  @Option(help: ArgumentHelp("The adapter as it was at step 0, where it is kept elsewhere.", valueName: "dir"))
  var initial: String?

  @Option(help: "The method, where the files cannot tell.")
  var method: StatedMethod?

  @Option(help: ArgumentHelp("How many modules to analyse at once (default: the number of cores).", valueName: "n"))
  var jobs: Int?

  @Option(help: "How deep: update is ΔW alone; auto takes the deepest there is.")
  var depth: Depth = .auto

  @OptionGroup var output: OutputOptions

  func validate() throws {
    if out.isEmpty { throw ValidationError("--out must name a file, found an empty text") }
    if let jobs, jobs < 1 { throw ValidationError("--jobs must be at least 1, found \(jobs)") }
  }

  func run() throws {
    let options = MeasurementOptions(
      source: source, base: base, initial: initial, method: method?.method, jobs: jobs ?? Self.availableCores,
      output: out)
    try requireWritableFolder(of: out)
    let plan = try MeasurementPlan(options)
    if !output.quiet {
      let count = plan.checkpoints.count
      Console.error(
        "\(plan.coverage), \(count) checkpoint\(count == 1 ? "" : "s") of \(plan.method.rawValue), "
          + plan.series.layout.rawValue)
    }
    let progress = output.quiet ? nil : ProgressLine()
    Interruption.listen()
    defer { progress?.clear() }
    let outcome = try plan.run(options, shouldStop: { Interruption.isWished }) { progress?.show($0) }
    progress?.clear()
    show(AnalysisSummary(outcome.analysis))
    try reportLeftOut(damaged: outcome.damaged, unmatched: plan.unmatchedModuleCount)
  }

  /// Ends with code 65 where something could not be analysed; the rest has been written by then.
  private func reportLeftOut(damaged: Int, unmatched: Int) throws {
    let parts = [
      damaged > 0 ? "\(damaged) damaged checkpoint\(damaged == 1 ? "" : "s") or tensor\(damaged == 1 ? "" : "s")" : nil,
      unmatched > 0 ? "\(unmatched) module\(unmatched == 1 ? "" : "s") without a weight in the base" : nil,
    ].compactMap { $0 }
    guard !parts.isEmpty else { return }
    Console.error("Error: left out: \(parts.joined(separator: ", ")) (see the findings); the rest is in \(out)")
    throw ExitCode(FileError.Kind.badContent.exitCode)
  }

  private func show(_ summary: AnalysisSummary) {
    if output.json { return Console.print(summary.json(output: out).text(pretty: true)) }
    if output.quiet { return }
    Console.print(summary.table)
    if !summary.findings.isEmpty { Console.print("\n" + summary.findings) }
    Console.error("wrote \(out)")
  }

  /// An analysis may take hours; that its file cannot be written is better said before it.
  private func requireWritableFolder(of path: String) throws {
    let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
    var isFolder: ObjCBool = false
    if FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue {
      throw FileError(.cannotCreate, path: path, "expected the name of a file to write, found a folder")
    }
    guard FileManager.default.fileExists(atPath: folder, isDirectory: &isFolder) else {
      throw FileError(.cannotCreate, path: path, "its folder does not exist", remedy: "Create \(folder) first")
    }
    guard isFolder.boolValue else {
      throw FileError(.cannotCreate, path: path, "expected a file in a folder, but \(folder) is a file itself")
    }
    guard FileManager.default.isWritableFile(atPath: folder) else {
      throw FileError(
        .cannotCreate, path: path, "its folder may not be written to", remedy: "Check the permissions of \(folder)")
    }
  }

  /// The cores this process may use: what Slurm gave, else those of the machine.
  private static var availableCores: Int {
    let given = ProcessInfo.processInfo.environment["SLURM_CPUS_PER_TASK"].flatMap { Int($0) }
    return max(1, given ?? ProcessInfo.processInfo.activeProcessorCount)
  }
}

/// The methods that `--method` can state: those whose files are read, but for whole weights, which say so themselves.
struct StatedMethod: ExpressibleByArgument, CaseIterable {
  let method: AdapterMethod

  static let allCases = AdapterMethod.allCases.filter { $0 != .full }.map(StatedMethod.init(method:))

  init(method: AdapterMethod) { self.method = method }

  init?(argument: String) {
    guard let method = AdapterMethod(rawValue: argument), method != .full else { return nil }
    self.init(method: method)
  }

  static var allValueStrings: [String] { allCases.map(\.method.rawValue) }
}
