import Foundation
import Reporting
import RunStore
import TestSupport
import Testing
import Weights

/// Every format, opened by the tools that it is for: `Tests/References/check_export.py` says which.
@Suite(.tags(.slow), .enabled(if: slowTestsEnabled, "Set SPECTROSCOPE_SLOW_TESTS=1."))
struct ExportSlowTests {
  private func check(_ folder: TemporaryFolder) throws {
    let python = ProcessInfo.processInfo.environment["SPECTROSCOPE_PYTHON"] ?? "python3"
    let script = repositoryRoot + "/Tests/References/check_export.py"
    let checked = try run("/usr/bin/env", [python, "-W", "error", script, folder.path])
    #expect(checked.status == 0, "\(checked.stderr)")
    print(checked.stdout)
  }

  private func export(_ analysis: Analysis, training: TrainingRecords?, to folder: TemporaryFolder) throws {
    for format in ExportFormat.allCases {
      let target = folder.path(format.rawValue)
      try FileManager.default.createDirectory(atPath: target, withIntermediateDirectories: true)
      _ = try format.exporter.export(analysis, training: training, to: target)
    }
  }

  @Test func peersReadOddNumbersAndTexts() throws {
    let folder = try TemporaryFolder()
    try export(ExportSamples.odd, training: try ExportSamples.oddTraining(), to: folder)
    try check(folder)
  }

  @Test func peersReadSeveralRowGroups() throws {
    let folder = try TemporaryFolder()
    try export(ExportSamples.long, training: nil, to: folder)
    try check(folder)
  }

  @Test func peersReadNothing() throws {
    let folder = try TemporaryFolder()
    try export(Analysis(), training: nil, to: folder)
    try check(folder)
  }

  /// NumPy reads the zip64 extension too, which only archives beyond 4 GiB need.
  @Test func peersReadWideArchives() throws {
    let folder = try TemporaryFolder()
    try export(ExportSamples.odd, training: nil, to: folder)
    let entries = [("a.txt", [UInt8]("a".utf8)), ("größe/b", []), ("c", Array(repeating: 7, count: 70_000))]
    let archive = ZipArchive(entries.map { name, content in .init(name: name) { content } }, widthLimit: 0)
    try folder.write("wide.zip", archive.flatMap(\.self))
    try check(folder)
  }
}
