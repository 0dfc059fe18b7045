import Adapters
import ArgumentParser
import Foundation
import Measurement
import Reporting
import RunStore
import Weights

extension MeasurementDepth: ExpressibleByArgument {}

/// `spectroscope analyze`.
struct Analyze: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Computes the spectrum of every module's update at every checkpoint.",
    discussion: """
      The source is a run folder of this program or a packed run, a folder of checkpoints (checkpoint-N of the \
      Hugging Face Trainer, TRL and unsloth; global_step_N of verl; global_stepN_hf of OpenRLHF; numbered files of MLX), of adapters or of whole models, or one \
      folder of either. \
      Read so far: \(PEFTMethods.analysed).

      A run folder has recorded its base, and another one is refused; its analysis is written to its analysis.h5. \
      For other sources name --base and --out, for a packed run --out.

      An interrupted analysis goes on where it was when the same command is given again.

      With --shard several processes, on one machine or many, each measure a part of the modules; `spectroscope merge` joins \
      what they write beside --out to the file that one process would have written. What could not be analysed merge says, with \
      its exit code: a shard that has done its part ends with 0.
      """)

  @Argument(
    help: ArgumentHelp(
      "A run folder, a packed run, a folder of checkpoints, or one adapter folder.", valueName: "source"))
  var source: String

  @Option(
    help: ArgumentHelp(
      "The base model's folder: Hugging Face safetensors, sharded or not (default: the run's own).", valueName: "dir"))
  var base: String?

  @Option(help: ArgumentHelp("The analysis file to write (HDF5; default: the run's own).", valueName: "file"))
  var out: String?

  @Option(help: ArgumentHelp("The adapter as it was at step 0, where it is kept elsewhere.", valueName: "dir"))
  var initial: String?

  @Option(
    help: ArgumentHelp(
      "A log of the trainer: trainer_state.json, TensorBoard's event files, verl's or other JSON lines, CSV; may be given several times "
        + "(default: that of the source).", valueName: "path"))
  var log: [String] = []

  @Option(help: "The method, where the files cannot tell.")
  var method: StatedMethod?

  @Option(help: ArgumentHelp("How many modules to analyse at once (default: the number of cores).", valueName: "n"))
  var jobs: Int?

  @Option(
    help: ArgumentHelp(
      "How deep: update is ΔW alone; geometry holds it against the base; full adds exact spectral shift, intruders and profiles. "
        + "auto is full where the smaller side of a weight is at most 1024, else geometry."))
  var depth: MeasurementDepth = .auto

  @Option(
    help: ArgumentHelp(
      "The folder that keeps the base's spectral basis (default: 'basis' beside --out if there is one, else a cache folder).",
      valueName: "dir"))
  var basis: String?

  @Option(
    help: ArgumentHelp(
      "How many leading and trailing directions to look at (default: each module's rank).", valueName: "n"))
  var k: Int?

  @OptionGroup var sharding: ShardArguments
  @OptionGroup var output: OutputOptions

  func validate() throws {
    if let out, out.isEmpty { throw ValidationError("--out must name a file, found an empty text") }
    if let jobs, jobs < 1 { throw ValidationError("--jobs must be at least 1, found \(jobs)") }
    if !log.isEmpty, isRun {
      throw ValidationError("--log goes with another trainer's checkpoints: a run has its own record")
    }
    if let k, k < 1 { throw ValidationError("--k must be at least 1, found \(k)") }
    let isFolder = RunFolder.isRun(at: source)
    for (name, value, hasDefault) in [("--base <dir>", base, isRun), ("--out <file>", out, isFolder)]
    where value == nil && !hasDefault {
      throw ValidationError("Missing expected argument '\(name)': there is a default for run folders alone")
    }
  }

  /// True for a packed run, too, whether it can be read or not.
  private var isRun: Bool {
    do throws(FileError) {
      return try RunLocation.folder(of: source) != nil
    } catch {
      return true
    }
  }

  func run() throws {
    let options = try isRun ? optionsOfRun() : optionsOfSeries(base: base!, out: out!)
    let plan = try MeasurementPlan(options)
    if !output.quiet {
      let count = plan.checkpoints.count
      Console.error(
        "\(plan.coverage), \(count) checkpoint\(count == 1 ? "" : "s") of \(plan.method.rawValue), "
          + plan.layout)
    }
    if !output.quiet, let notice = try plan.memoryNotice(options) { Console.error(notice) }
    let progress = output.quiet ? nil : ProgressLine()
    Interruption.listen()
    defer { progress?.clear() }
    if let shard = sharding.shard {
      let outcome = try plan.run(shard, options, shouldStop: { Interruption.isWished }) { progress?.show($0) }
      progress?.clear()
      return show(outcome, of: shard, options.output)
    }
    let outcome = try plan.run(options, shouldStop: { Interruption.isWished }) { progress?.show($0) }
    progress?.clear()
    try AnalysisEnding(outcome: outcome, path: options.output, output: output).report()
  }

  private func show(_ outcome: MeasurementPlan.ShardOutcome, of shard: Shard, _ out: String) {
    if output.json {
      let json: JSONValue = [
        "shard": .string(shard.description), "out": .string(outcome.path), "measured": .integer(outcome.measured),
        "pieces": .integer(outcome.pieces),
      ]
      return Console.print(json.text(pretty: true))
    }
    if output.quiet { return }
    Console.print("shard \(shard): \(outcome.measured) measured, \(outcome.pieces) in \(outcome.path)")
    Console.error("When all shards have ended, `spectroscope merge \(out)` joins them.")
  }

  private func optionsOfSeries(base: String, out: String) throws(FileError) -> MeasurementOptions {
    try requireWritableFolder(of: out)
    var options = MeasurementOptions(
      source: source, base: base, initial: initial, method: method?.method, depth: depth,
      basis: BasisLocation.folder(named: basis, output: out, base: base), directions: k,
      jobs: jobs ?? Self.availableCores, output: out)
    options.logs = log
    return options
  }

  private func optionsOfRun() throws(FileError) -> MeasurementOptions {
    try requireWritableFolder(of: out ?? source + "/" + RunLayout.analysis)
    var options = try Self.options(
      ofRun: source, base: base, initial: initial, method: method?.method, jobs: jobs ?? Self.availableCores, out: out)
    (options.depth, options.directions, options.logs) = (depth, k, log)
    // The weights of the laboratory's models are decomposed faster than a file is read.
    options.basis = basis.map { BasisFolder(path: $0) }
    return options
  }

  /// What measures a run folder, against its own base unless another folder is named.
  static func options(
    ofRun path: String, base: String? = nil, initial: String? = nil, method: AdapterMethod? = nil, jobs: Int,
    out: String? = nil
  ) throws(FileError) -> MeasurementOptions {
    let run = try GuardedReading.run(at: path, mendsIndex: true)
    let folder: String = if let base { base } else { try BaseLocation.folder(for: run.identity.base) }
    return try MeasurementOptions(
      run: run, base: folder, initial: initial, method: method, jobs: jobs, output: out)
  }

  /// An analysis may take hours; that its file cannot be written is better said before it.
  private func requireWritableFolder(of path: String) throws(FileError) {
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
  static var availableCores: Int {
    let given = ProcessInfo.processInfo.environment["SLURM_CPUS_PER_TASK"].flatMap { Int($0) }
    return max(1, given ?? ProcessInfo.processInfo.activeProcessorCount)
  }
}

/// The methods that `--method` can state.
struct StatedMethod: ExpressibleByArgument, CaseIterable {
  let method: AdapterMethod

  static let allCases = AdapterMethod.statable.map(StatedMethod.init(method:))

  init(method: AdapterMethod) { self.method = method }

  init?(argument: String) {
    guard let stated = Self.allCases.first(where: { $0.method.rawValue == argument }) else { return nil }
    self = stated
  }

  static var allValueStrings: [String] { allCases.map(\.method.rawValue) }
}
