import Adapters
import ArgumentParser
import Diagnosis
import Foundation
import Reporting
import RunStore
import Training
import Weights

/// `spectroscope lab`.
struct Lab: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Trains a grid of runs and says which collapse, and at which learning rate.",
    discussion: """
      Every method at every learning rate with every seed, some runs at once, each in a run folder \
      <method>-lr<rate>-seed<n>; several ranks add -rank<r> behind the method, several bases a folder each. summary.csv has a \
      row a run, critical.csv the learning rate at which a method's accuracy falls through that of its start. The other options \
      are those of train and hold for every run; so does a list that is not given.

      The same command goes on where it was interrupted: finished runs are kept, others go on, and a folder that holds \
      another run is refused. Results do not depend on --jobs.

      With --shard several processes each make a part of the runs in the same folder, and no table; the command without makes \
      what is missing then, and the tables.
      """)

  @Option(help: ArgumentHelp("The folder to write.", valueName: "dir"))
  var out: String?

  @Option(
    help: ArgumentHelp(
      "A JSON file of options by their names, such as {\"methods\": [\"lora\", \"dora\"], \"steps\": 60}; those of the "
        + "command line win.", valueName: "file"))
  var config: String?

  @Option(
    help: ArgumentHelp(
      "A base's folder, or embedded for the one that is a part of this program (the default); may be given several times.",
      valueName: "dir"))
  var base: [String] = []

  @Option(help: ArgumentHelp("How many runs at once (default: the number of cores).", valueName: "n"))
  var jobs: Int?

  @Flag(help: "Leave out of the records what takes time and the labels do not need: KL divergence and velocities.")
  var noTelemetry = false

  @Flag(help: "Print no progress and no notes.")
  var quiet = false

  @OptionGroup var sharding: ShardArguments
  @OptionGroup(title: "Grid") var axes: GridArguments
  @OptionGroup(title: "Method") var adapter: AdapterArguments
  @OptionGroup(title: "Task") var task: TaskArguments
  @OptionGroup(title: "Training") var training: TrainingArguments

  /// Steps without any reward behind which a run of the grid ends, unless wished otherwise.
  static let patience = 20

  func validate() throws {
    if out?.isEmpty == true { throw ValidationError("--out must name a folder, found an empty text") }
    if base.contains("") { throw ValidationError("--base must name a folder, found an empty text") }
    if let jobs, jobs < 1 { throw ValidationError("--jobs must be at least 1, found \(jobs)") }
    let names = base.map(Self.name)
    if let name = names.first(where: { name in names.count { $0 == name } > 1 }) {
      throw ValidationError("the folders of several --base must have different names, found \(name) twice")
    }
    // What a configuration file says comes first, and is not read here.
    if config == nil { _ = try common() }
  }

  /// What all runs have in common.
  private func common() throws -> TrainingConfiguration {
    var configuration = TrainingConfiguration()
    configuration.zeroRewardPatience = Self.patience
    adapter.apply(to: &configuration)
    task.apply(to: &configuration)
    training.apply(to: &configuration)
    if noTelemetry { configuration.telemetry = .off }
    try adapter.requireOptions(of: axes.methods ?? [configuration.method])
    try axes.requireSingle(adapter, training)
    try task.requireOptions(of: configuration)
    try training.objective.requireOptions(of: configuration)
    try configuration.validate()
    return configuration
  }

  func run() throws {
    guard let config else { return try train() }
    try OptionFile.command(
      Self.self, from: OptionFile.object(at: config), at: config, repeated: ["--base"],
      negatable: ["--dynamic-sampling"],
      behind: Array(CommandLine.arguments.dropFirst(2))
    ).train()
  }

  private func train() throws {
    guard let out else { throw ValidationError("Missing expected argument '--out <dir>'") }
    let grid = try grid()
    let progress = quiet ? nil : ProgressLine()
    defer { progress?.clear() }
    Interruption.listen()
    let session = GridSession(grid: grid, out: out, jobs: jobs ?? Analyze.availableCores, shard: sharding.shard)
    let outcomes = try session.run { progress?.show($0.steps, $0.text, "steps", $0.labels) }
    progress?.clear()
    if let shard = sharding.shard {
      let count = outcomes.count
      return Console.print(
        "shard \(shard): \(count) of \(grid.runs.count) runs \(count == 1 ? "is" : "are") done in \(out)")
    }
    let table = LaboratoryTable(outcomes)
    Console.print(table.text + "\n\n" + table.legend)
    if !quiet { Console.error("wrote \(out)/summary.csv, \(out)/critical.csv and \(grid.runs.count) runs") }
  }

  /// All runs that the options ask for.
  func grid() throws -> Grid {
    let configuration = try common()
    return Grid([baseAxis] + axes.axes(configuration), over: configuration)
  }

  private var baseAxis: GridAxis {
    let paths = base.isEmpty ? [TrainingConfiguration.embeddedBase] : base.map(Self.path)
    return GridAxis(paths, isNamed: paths.count > 1, name: { Self.name($0) + "/" }) { $0.base = $1 }
  }

  private static func path(_ base: String) -> String {
    base == TrainingConfiguration.embeddedBase ? base : URL(fileURLWithPath: base).standardizedFileURL.path
  }

  private static func name(_ base: String) -> String {
    URL(fileURLWithPath: base).standardizedFileURL.lastPathComponent
  }
}

/// The lists that span a grid, as options of the command line.
struct GridArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp("Methods, with commas between them.", valueName: "names"), transform: Self.methods)
  var methods: [AdapterMethod]?

  @Option(
    help: ArgumentHelp("Learning rates.", valueName: "rates"), transform: Self.learningRates)
  var learningRates: [Double]?

  @Option(
    help: ArgumentHelp("Seeds.", valueName: "numbers"), transform: Self.seeds)
  var seeds: [Int]?

  @Option(
    help: ArgumentHelp("Ranks.", valueName: "numbers"), transform: Self.ranks)
  var ranks: [Int]?

  @Option(
    help: ArgumentHelp("svd: which of --directions, as a list.", valueName: "names"), transform: Self.choices)
  var svdDirections: [SVDDirections]?

  @Option(
    help: ArgumentHelp("svd: which of --magnitudes, as a list.", valueName: "names"), transform: Self.choices)
  var svdMagnitudes: [SVDMagnitudes]?

  /// The axes in the order of the summary's rows; the name of a run's folder has the same order.
  func axes(_ common: TrainingConfiguration) -> [GridAxis] {
    [
      GridAxis(variants(common), name: \.name) { $1.apply(to: &$0) },
      GridAxis(learningRates ?? [common.learningRate], name: { "-lr\($0)" }) { $0.learningRate = $1 },
      GridAxis(seeds ?? [common.seed], name: { "-seed\($0)" }) { $0.seed = $1 },
    ]
  }

  /// Every method at every rank, if it has a choice of it; and `svd` with each pair of directions and magnitudes.
  private func variants(_ common: TrainingConfiguration) -> [MethodVariant] {
    (methods ?? [common.method]).flatMap { method -> [MethodVariant] in
      let hasChoice = method.trained.map { $0.isRanked && $0.fixedRank == nil } ?? false
      let ranks: [Int?] = hasChoice ? ranks.map { $0.map(Optional.some) } ?? [nil] : [nil]
      return starts(of: method, common).flatMap { start in
        ranks.map { MethodVariant(method: method, start: start, rank: $0, isRankNamed: ranks.count > 1) }
      }
    }
  }

  private func starts(of method: AdapterMethod, _ common: TrainingConfiguration) -> [SVDStartChoice?] {
    guard method == .svd else { return [nil] }
    return (svdDirections ?? [common.adapter.directions]).flatMap { directions in
      (svdMagnitudes ?? [common.adapter.magnitudes]).map { (directions, $0) }
    }
  }

  /// Throws where a list and its single form are both given, or a list that no method takes.
  func requireSingle(_ adapter: AdapterArguments, _ training: TrainingArguments) throws {
    let pairs = [
      ("--methods", methods != nil, "--method", adapter.method != nil),
      ("--ranks", ranks != nil, "--rank", adapter.rank != nil),
      ("--learning-rates", learningRates != nil, "--learning-rate", training.learningRate != nil),
      ("--seeds", seeds != nil, "--seed", training.seed != nil),
      ("--svd-directions", svdDirections != nil, "--directions", adapter.directions != nil),
      ("--svd-magnitudes", svdMagnitudes != nil, "--magnitudes", adapter.magnitudes != nil),
    ]
    for (list, hasList, single, hasSingle) in pairs where hasList && hasSingle {
      throw ValidationError("expected one of \(list) and \(single), found both")
    }
    let hasSVD = (methods ?? adapter.method.map { [$0.method] } ?? []).contains(.svd)
    if !hasSVD, svdDirections != nil || svdMagnitudes != nil {
      throw ValidationError("--svd-directions and --svd-magnitudes go with svd among the methods alone")
    }
  }

  @Sendable private static func choices<Choice: RawRepresentable<String> & CaseIterable & Hashable>(
    _ text: String
  ) throws -> [Choice] {
    let names = Choice.allCases.map(\.rawValue).joined(separator: ", ")
    return try ValueList.parse(text, of: "one of \(names)") { Choice(rawValue: $0) }
  }

  @Sendable private static func methods(_ text: String) throws -> [AdapterMethod] {
    let names = AdapterMethod.trainable.map(\.rawValue).joined(separator: ", ")
    return try ValueList.parse(text, of: "a method among \(names)") { TrainableMethod(argument: $0)?.method }
  }

  @Sendable private static func learningRates(_ text: String) throws -> [Double] {
    try ValueList.parse(text, of: "a positive number") { Double($0).flatMap { $0 > 0 && $0.isFinite ? $0 : nil } }
  }

  @Sendable private static func seeds(_ text: String) throws -> [Int] {
    try ValueList.parse(text, of: "a whole number") { Int($0) }
  }

  @Sendable private static func ranks(_ text: String) throws -> [Int] {
    try ValueList.parse(text, of: "a whole number of at least 1") { Int($0).flatMap { $0 >= 1 ? $0 : nil } }
  }
}

private typealias SVDStartChoice = (directions: SVDDirections, magnitudes: SVDMagnitudes)

/// A method with its rank, and the start of `svd`.
private struct MethodVariant: Sendable {
  var method: AdapterMethod
  var start: SVDStartChoice?
  /// Nil for the one of all runs, or of the method.
  var rank: Int?
  var isRankNamed: Bool

  var name: String {
    RunOutcome.methodName(method, start: start) + (isRankNamed ? rank.map { "-rank\($0)" } ?? "" : "")
  }

  func apply(to configuration: inout TrainingConfiguration) {
    configuration.method = method
    if let rank { configuration.adapter.rank = rank }
    guard let start else { return }
    (configuration.adapter.directions, configuration.adapter.magnitudes) = start
  }
}
