import Adapters
import ArgumentParser
import Foundation
import Reporting
import RunStore
import Weights

/// `spectroscope compare`.
struct Compare: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Sets runs side by side, at equal steps and at equal size of the update.",
    discussion: """
      Every run is held against the first. At equal steps a method that takes larger steps differs in everything; what remains \
      at equal ‖ΔW‖ is not a matter of step size. Differences that the methods fix before training are marked *, those that were \
      there at the first line and have not grown since °.

      The runs must lie over the same base and share modules. Energies and overlaps are compared where each module was analysed with \
      the same k in all runs (`spectroscope analyze --k`).
      """)

  @Argument(
    help: ArgumentHelp(
      "Analysis files, or run folders or packed runs that hold one; two or more.", valueName: "file"))
  var files: [String]

  @Option(
    help: ArgumentHelp(
      "How many steps to show, and at how many norms to compare (default: 3); --json has all steps.", valueName: "n"))
  var points: Int?

  @OptionGroup var output: OutputOptions

  func validate() throws {
    if files.count < 2 { throw ValidationError("expected two files or more to compare, found \(files.count)") }
    if let points, points < 1 { throw ValidationError("--points must be at least 1, found \(points)") }
  }

  func run() throws {
    let names = Self.names(of: files)
    let runs = try zip(files, names).map(Self.read)
    let comparison = try Comparison(runs, points: points ?? 3)
    if output.json { return Console.print(comparison.json.text(pretty: true)) }
    Console.print(comparison.stepTable + "\n\n" + comparison.normTable + "\n")
    if !output.quiet {
      Console.print(comparison.legendText + "\n")
      if !comparison.noteText.isEmpty { Console.print(comparison.noteText + "\n") }
    }
    Console.print(comparison.conclusionText)
  }

  static func read(_ path: String, name: String) throws -> ComparedRun {
    let analysed = try AnalysedRun(at: path)
    return try read(path, name: name, analysis: analysed.analysis, records: analysed.records)
  }

  /// The same with an analysis that is there already.
  static func read(_ path: String, name: String, analysis: Analysis, records: TrainingRecords?) throws -> ComparedRun {
    var run = ComparedRun(name: name, path: path, analysis: analysis, records: records ?? TrainingRecords())
    if run.method == AdapterMethod.svd.rawValue, let folder = try AnalysedRun.runFolder(of: path) {
      let identity = try GuardedReading.run(at: folder).identity
      run.directions = identity.configuration["directions"]?.string.flatMap(SVDDirections.init(rawValue:))
    }
    return run
  }

  /// Short names for files: the last part of the path that tells, and a number behind what occurs again.
  static func names(of files: [String]) -> [String] {
    var counts: [String: Int] = [:]
    return files.map { file in
      let url = URL(fileURLWithPath: file)
      let isAnalysis = url.lastPathComponent == RunLayout.analysis
      let part =
        isAnalysis ? url.deletingLastPathComponent() : url.pathExtension == "h5" ? url.deletingPathExtension() : url
      let name = part.lastPathComponent
      counts[name, default: 0] += 1
      return counts[name]! == 1 ? name : "\(name)-\(counts[name]!)"
    }
  }
}
