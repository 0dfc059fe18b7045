import ArgumentParser
import Diagnosis
import Foundation
import Measurement
import Reporting
import RunStore
import Weights

extension ExportFormat: ExpressibleByArgument {}

/// `spectroscope export`.
struct Export: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Writes the data of an analysis for plotting.",
    discussion: """
      csv writes modules.csv (one row per step, module and delta), singular_values.csv, findings.csv and, of a run \
      folder or where a log was joined, training.csv (one row per step); parquet writes the same tables with types, \
      json all of them as spectra.json. An empty cell or null means: undefined, or not computed at this depth.

      npz writes spectra.npz: dense arrays over steps and modules, NaN for missing. tensorboard writes one event file: \
      training, medians over all modules, and a few curves each of up to 200 modules. vega-lite writes charts with \
      their data inside, NAME.vl.json. A file that exists is replaced.
      """)

  @Argument(help: ArgumentHelp("An analysis file, or a run folder or packed run that holds one.", valueName: "file"))
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
    let run = try AnalysedRun(at: file)
    var analysis = run.analysis
    analysis.findings = run.verdict.findings
    let training = run.records
    do {
      try FileManager.default.createDirectory(atPath: out, withIntermediateDirectories: true)
    } catch {
      throw FileError(
        .cannotCreate, path: out, "the folder cannot be created", remedy: "Check the path and its permissions")
    }
    for path in try format.exporter.export(analysis, training: training, to: out) where !quiet { Console.print(path) }
  }

  /// The file itself, or the one in a run folder or packed run; throws `.cannotOpen` where that holds none.
  static func analysisFile(at path: String) throws(FileError) -> String {
    var isFolder: ObjCBool = false
    let exists = FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
    let run = try RunLocation.folder(of: path)
    guard exists, isFolder.boolValue || run != nil else { return path }
    let folders = [run ?? path, path + "/" + FollowOptions.stateName]
    let found = folders.map { $0 + "/" + RunLayout.analysis }.first(where: FileManager.default.fileExists)
    guard let file = found else {
      throw FileError(
        .cannotOpen, path: path,
        "expected an analysis file, or a folder that holds analysis.h5, found a "
          + (isFolder.boolValue ? "folder without it" : "packed run without it"),
        remedy: "Make one with `spectroscope analyze`")
    }
    return file
  }
}
