import ArgumentParser
import Assessment
import Measurement

/// What the subcommands of `corpus` that work on its runs have in common.
struct CorpusArguments: ParsableArguments {
  @Argument(help: ArgumentHelp("The file that describes the corpus.", valueName: "file"))
  var file: String

  @Option(help: ArgumentHelp("How many runs at once (default: the number of cores).", valueName: "n"))
  var jobs: Int?

  @Flag(help: "Print no progress and no notes.")
  var quiet = false

  var jobCount: Int { jobs ?? Analyze.availableCores }

  func validate() throws {
    if let jobs, jobs < 1 { throw ValidationError("--jobs must be at least 1, found \(jobs)") }
  }
}

/// The runs that `corpus make` has made.
struct CorpusRuns: ParsableArguments {
  @Option(help: ArgumentHelp("The folder that `corpus make` wrote.", valueName: "dir"))
  var runs: String

  func validate() throws {
    if runs.isEmpty { throw ValidationError("--runs must name a folder, found an empty text") }
  }

  /// The runs of one half, with what `body` makes of each, and progress shown.
  func map<Result: Sendable>(
    _ half: CorpusRow.Half, _ corpus: CorpusArguments, _ body: @escaping @Sendable (CorpusReading.Run) throws -> Result
  ) throws -> [Result] {
    let reading = CorpusReading(
      description: try CorpusFile(path: corpus.file), folder: runs, half: half, jobs: corpus.jobCount)
    let progress = corpus.quiet ? nil : ProgressLine()
    defer { progress?.clear() }
    Interruption.listen()
    return try reading.map(
      report: { progress?.show(.init(done: $0, resumed: 0, total: $1), "reading", "runs", "") }, body)
  }
}
