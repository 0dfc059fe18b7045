import ArgumentParser
import Assessment
import Diagnosis
import Foundation
import Weights

/// `spectroscope corpus page`.
struct CorpusPage: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "page", abstract: "Renews the tables and curves of the page that says how good the verdict is.",
    discussion:
      "Reads calibration.csv and the test table of this version in the folder; renews README.md between its marks, and writes roc.svg."
  )

  @Argument(help: ArgumentHelp("The folder of the tables.", valueName: "dir"))
  var folder: String

  func run() throws {
    let version = DetectorVersion.current
    let page = AssessmentPage(
      calibration: try CorpusTable(reading: folder + "/calibration.csv"),
      test: try CorpusTable(reading: CorpusScore.table(in: folder, version: version)),
      earlier: try (1..<version).map { CorpusScore.table(in: folder, version: $0) }
        .filter(FileManager.default.fileExists(atPath:)).map(CorpusTable.init(reading:)),
      gated: try gatedRuns(version), version: version,
      spacings: CorpusMeasurement.spacings)
    let path = folder + "/README.md"
    let file = try PositionedFile(path: path)
    let text = String(decoding: try file.read(file.size, at: 0), as: UTF8.self)
    guard let renewed = page.renewed(text) else {
      throw FileError(
        .badContent, path: path,
        "expected a line <!-- name --> and a line <!-- end --> for each of \(page.parts.map(\.key)), found fewer")
    }
    try PendingFile.write(renewed, to: path)
    try PendingFile.write(page.figure.svg, to: folder + "/roc.svg")
  }

  /// None as long as nothing was trained under a gate.
  private func gatedRuns(_ version: Int) throws -> [GatedRun] {
    let path = CorpusGate.table(in: folder, version: version)
    return FileManager.default.fileExists(atPath: path) ? try GatedTable(reading: path).runs : []
  }
}
