import Adapters
import ArgumentParser
import Diagnosis
import Foundation
import Measurement
import Reporting
import RunStore
import Weights

/// `spectroscope report`.
struct WriteReport: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "report", abstract: "Writes one HTML file that shows a run, or several side by side.",
    discussion: """
      The verdict and the findings, each with the picture that shows it; reward, entropy and KL with the onsets; every module at every checkpoint, and for \
      a chosen one its spectrum, its geometry against the base, its size and its speed; several runs at equal steps and at equal size of the update. \
      The file needs nothing else: no network, no fonts. Numbers in it are rounded to 16 bits; exact ones are in `export`.

      A folder of `lab` stands for all its runs: those that were analysed are shown, and all of them on a map of methods and learning rates.
      """)

  @Argument(
    help: ArgumentHelp(
      "Analysis files, run folders or packed runs that hold one, or a folder of lab.", valueName: "file"))
  var files: [String]

  @Option(help: ArgumentHelp("The file to write.", valueName: "file"))
  var out = "report.html"

  @Flag(help: "Print no notes.")
  var quiet = false

  func validate() throws {
    if out.isEmpty { throw ValidationError("--out must name a file, found an empty text") }
  }

  func run() throws {
    let sources = try files.map { try ReportSource($0) }
    let paths = sources.flatMap(\.analysed)
    guard !paths.isEmpty || sources.contains(where: { !$0.mapped.isEmpty }) else {
      throw FileError(
        .cannotOpen, path: files[0], "expected an analysis, found none",
        remedy: "Make one with `spectroscope analyze`")
    }
    let report = try ReportSource.report(
      of: sources, command: ["report"] + files + ["--out", out], read: Compare.read)
    try PendingFile.write(ReportPage(report).html, to: out)
    if quiet { return }
    for path in sources.flatMap(\.notAnalysed) { Console.error("Note: not analysed, so only on the map: \(path)") }
    Console.print(out)
  }
}

/// What a FILE of the command stands for.
struct ReportSource {
  /// Paths that hold an analysis.
  var analysed: [String]
  /// Runs of a grid without one.
  var notAnalysed: [String] = []
  /// Every run of a grid.
  var mapped: [MappedRun] = []

  /// A run folder, whether it has an analysis or not.
  init(run path: String) { analysed = [path] }

  /// - Throws: `FileError` where there is nothing at `path`, or a record in a grid is damaged.
  init(_ path: String) throws {
    guard let names = Self.runs(inGridAt: path) else {
      analysed = [path]
      return
    }
    let folders = names.map { path + "/" + $0 }
    func isAnalysed(_ folder: String) -> Bool {
      FileManager.default.fileExists(atPath: folder + "/" + RunLayout.analysis)
    }
    analysed = folders.filter(isAnalysed)
    notAnalysed = folders.filter { !isAnalysed($0) }
    mapped = try zip(names, folders).compactMap(Self.mapped)
  }

  /// The report of several.
  ///
  /// - Parameter read: makes a run of its path and its name.
  static func report(
    of sources: [ReportSource], command: [String], read: (_ path: String, _ name: String) throws -> ComparedRun
  ) throws -> Report {
    let paths = sources.flatMap(\.analysed)
    let runs = try zip(paths, Compare.names(of: paths)).map(read)
    let alone = try paths.filter { try AnalysedRun.runFolder(of: $0) == nil }
    return Report(
      runs, others: sources.flatMap(\.mapped), notAnalysed: sources.flatMap(\.notAnalysed), analysisFiles: Set(alone),
      command: command, version: programVersion)
  }

  /// The names of the run folders below a folder that is no run itself; nil where there are none.
  private static func runs(inGridAt path: String) -> [String]? {
    guard !RunFolder.isRun(at: path), !FileManager.default.fileExists(atPath: path + "/" + RunLayout.analysis),
      let names = try? FileManager.default.contentsOfDirectory(atPath: path)
    else { return nil }
    let runs = names.filter { RunFolder.isRun(at: path + "/" + $0) }.sorted(by: NaturalOrder.precedes)
    return runs.isEmpty ? nil : runs
  }

  /// A run by the name that `lab` gives it, `pissa-lr0.003-seed1`, and its record; nil for another name.
  private static func mapped(_ name: String, _ folder: String) throws -> MappedRun? {
    guard let match = name.wholeMatch(of: /(.+)-lr([0-9.e+-]+)-seed([0-9]+)/), let rate = Double(match.2) else {
      return nil
    }
    let records = try TrainingRecords(path: folder + "/" + RunLayout.records)
    return MappedRun(
      name: name, method: String(match.1), learningRate: rate, seed: Int(match.3), Timeline(records))
  }
}
