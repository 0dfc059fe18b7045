import Foundation
import TestSupport
import Testing

/// Files that `export` cannot read, and folders it cannot write.
@Suite struct ExportFailureTests {
  let bench = try! Bench()

  private func expectFailure(_ file: String, _ message: String, status: Int32, out: String = "tables") throws {
    let result = try spectroscope("export", file, "--format", "csv", "--out", bench.path(out))
    #expect(result.stderr == "Error: \(bench.filled(message))\n")
    #expect(result.stdout == "")
    #expect(result.status == status)
  }

  @Test func aMissingFile() throws {
    try expectFailure(
      bench.path("none.h5"),
      "{}/none.h5: cannot open the file: No such file or directory. Check the path and its permissions", status: 66)
  }

  @Test func aFolderWithoutAnalysis() throws {
    try expectFailure(
      Reference.lora,
      "\(Reference.lora): expected an analysis file, or a folder that holds analysis.h5, found a folder without it. "
        + "Make one with `spectroscope analyze`", status: 66)
  }

  @Test func aTruncatedFile() throws {
    try #require(try bench.analyze(Reference.lora).status == 0)
    let bytes = try Data(contentsOf: URL(fileURLWithPath: bench.output))
    try bytes.prefix(bytes.count / 2).write(to: URL(fileURLWithPath: bench.output))
    let result = try spectroscope("export", bench.output, "--format", "csv", "--out", bench.path("tables"))
    #expect(result.stderr.hasPrefix("Error: \(bench.output): expected an HDF5 file, "))
    #expect(result.stderr.hasSuffix(". Copy or write it again\n"))
    #expect(result.status == 65)
    #expect(!bench.exists(bench.path("tables")))
    let inspected = try spectroscope("inspect", bench.output)
    #expect(
      inspected.stdout.hasPrefix("\(bench.output): analysis file\n  broken: \(bench.output): expected an HDF5 file"))
    #expect(inspected.status == 65)
  }

  @Test func textInPlaceOfAnAnalysis() throws {
    let file = try bench.folder.write("notes.txt", "no analysis at all")
    let result = try spectroscope("export", file, "--format", "csv", "--out", bench.path("tables"))
    #expect(result.stderr.hasPrefix("Error: \(file): expected an HDF5 file, "))
    #expect(result.status == 65)
  }

  @Test func aFileInPlaceOfTheFolder() throws {
    try #require(try bench.analyze(Reference.lora).status == 0)
    try bench.folder.write("tables", "a file")
    try expectFailure(
      bench.output, "{}/tables: the folder cannot be created. Check the path and its permissions", status: 73)
  }

  @Test(
    .enabled(if: canBecomeNobody),
    arguments: [
      ("csv", "modules.csv"), ("json", "spectra.json"), ("parquet", "modules.parquet"), ("npz", "spectra.npz"),
      ("tensorboard", "events.out.tfevents.0000000000.spectroscope"), ("vega-lite", "training.vl.json"),
    ])
  func aFolderThatMayNotBeWrittenTo(format: String, file: String) throws {
    try #require(try bench.analyze(Reference.lora).status == 0)
    let tables = bench.path("tables")
    try FileManager.default.createDirectory(atPath: tables, withIntermediateDirectories: true)
    let result = try spectroscopeAsNobody(
      "export", bench.output, "--format", format, "--out", tables, in: bench.folder)
    #expect(
      result.stderr == "Error: \(tables)/\(file): cannot be created: Permission denied. "
        + "Check the folder, its permissions and free space\n")
    #expect(result.status == 73)
  }

  /// Runs the program with a limit on the size of files, in blocks of 512 bytes: a write fails as on a full disk.
  private func limited(toBlocks blocks: Int, _ arguments: String...) throws -> ProcessResult {
    let command = "trap '' XFSZ; ulimit -f \(blocks); exec \"$0\" \"$@\""
    return try run("/bin/sh", ["-c", command, Program.path] + arguments, environment: Program.environment)
  }

  @Test func aWriteThatFailsPartWay() throws {
    try #require(try bench.analyze(Reference.lora, "--depth", "update").status == 0)
    // 100 KiB, between the sizes of the analysis and of its JSON.
    let result = try limited(
      toBlocks: 200, "export", bench.output, "--format", "json", "--out", bench.path("tables"))
    #expect(
      result.stderr
        == bench.filled(
          "Error: {}/tables/spectra.json: cannot be written: File too large. "
            + "Check the folder, its permissions and free space\n"))
    #expect(result.status == 74)
    #expect(try FileManager.default.contentsOfDirectory(atPath: bench.path("tables")) == [])
  }

  @Test func anAnalysisThatCannotBeWritten() throws {
    let result = try limited(
      toBlocks: 4, "analyze", Reference.lora, "--base", Reference.llama, "--out", bench.output, "--depth", "update")
    #expect(result.stderr.contains("Error: \(bench.journal): a piece could not be written. Check the free space\n"))
    #expect(result.status == 74)
    #expect(!bench.exists(bench.output))
  }
}
