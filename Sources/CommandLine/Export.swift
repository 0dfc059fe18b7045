import ArgumentParser
import Foundation
import Reporting
import RunStore
import Weights

extension ExportFormat: ExpressibleByArgument {}

/// `spectroscope export`.
struct Export: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Writes the data of an analysis for plotting.",
    discussion: """
      csv writes modules.csv (one row per step, module and delta), singular_values.csv, findings.csv and, of a run folder, \
      training.csv (one row per step); json writes the same as spectra.json. An empty cell or null means: undefined, or \
      not computed at this depth.
      """)

  @Argument(help: ArgumentHelp("An analysis file, or a run folder that holds analysis.h5.", valueName: "file"))
  var file: String

  @Option(help: "The format of the files.")
  var format: ExportFormat

  @Option(help: ArgumentHelp("The folder to write into; created where it is missing.", valueName: "dir"))
  var out: String

  @Flag(help: "Do not list the files written.")
  var quiet = false

  func validate() throws {
    if out.isEmpty { throw ValidationError("--out must name a folder, found an empty text") }
  }

  func run() throws {
    let analysis = try GuardedReading.analysis(at: try Self.analysisFile(at: file))
    let training = try Self.trainingRecords(at: file)
    do {
      try FileManager.default.createDirectory(atPath: out, withIntermediateDirectories: true)
    } catch {
      throw FileError(
        .cannotCreate, path: out, "the folder cannot be created", remedy: "Check the path and its permissions")
    }
    for path in try format.exporter.export(analysis, training: training, to: out) where !quiet { Console.print(path) }
  }

  /// What the run folder at `path` has recorded; nil for anything else, and where it has recorded nothing.
  private static func trainingRecords(at path: String) throws(FileError) -> TrainingRecords? {
    let file = path + "/" + RunLayout.records
    guard RunFolder.isRun(at: path), FileManager.default.fileExists(atPath: file) else { return nil }
    return try TrainingRecords(path: file)
  }

  /// The file itself, or `analysis.h5` in a run folder; throws `.cannotOpen` for a folder without one.
  static func analysisFile(at path: String) throws(FileError) -> String {
    var isFolder: ObjCBool = false
    let exists = FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
    guard exists, isFolder.boolValue else { return path }
    let file = path + "/analysis.h5"
    guard FileManager.default.fileExists(atPath: file) else {
      throw FileError(
        .cannotOpen, path: path,
        "expected an analysis file, or a folder that holds analysis.h5, found a folder without it",
        remedy: "Make one with `spectroscope analyze`")
    }
    return file
  }
}
