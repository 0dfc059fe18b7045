import ArgumentParser
import Foundation
import LinearAlgebra
import Weights

/// `spectroscope-benchmarks`: how fast this program is, and what its work costs.
@main
struct Benchmarks: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "spectroscope-benchmarks",
    abstract: "Times this program beside its peers, in turn, and counts what its work costs.",
    discussion: """
      Times are those of one run: they depend on the machine and on what else it does, so both sides of a figure are run \
      in turn, and figures of two runs are not compared. What does not depend on that – instructions, allocations, bytes \
      read – is held to limits by counts.
      """,
    subcommands: [
      PeersCommand.self, SavingsCommand.self, AnalysisCommand.self, CurvesCommand.self, CountsCommand.self,
      ShowCommand.self,
      CountedCommand.self, ScaledCommand.self, MeasuredCommand.self,
    ],
    defaultSubcommand: PeersCommand.self)

  /// One thread for BLAS, and memory kept as the program keeps it.
  static func prepareProcess() {
    BLASLibrary.useOneThread()
    Memory.keepFreedPages()
  }
}

/// Where a report goes beside standard output.
struct ReportOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Write the report as JSON, too.", valueName: "file"))
  var json: String?

  /// - Throws: `FileError` where the file cannot be written.
  func show(_ report: BenchmarkReport) throws {
    print(report.text)
    if let json { try PendingFile.write(report.json.text(pretty: true) + "\n", to: json) }
  }
}

/// Names that an option lists with commas between.
struct NameList<Name: RawRepresentable & CaseIterable>: ExpressibleByArgument where Name.RawValue == String {
  let names: [Name]

  init(_ names: [Name]) { self.names = names }

  init?(argument: String) {
    let parts = argument.split(separator: ",").map(String.init)
    names = parts.compactMap(Name.init(rawValue:))
    guard names.count == parts.count, !names.isEmpty else { return nil }
  }

  static var all: NameList { NameList(Array(Name.allCases)) }
  static var text: String { Name.allCases.map(\.rawValue).joined(separator: ", ") }
  var defaultValueDescription: String { "all" }
}

/// Says what is being done while it is done, beside the results.
func note(_ text: String) { FileHandle.standardError.write(Data((text + "\n").utf8)) }

/// A folder for the time of one run.
final class ScratchFolder {
  let path: String

  init() throws {
    path = FileManager.default.temporaryDirectory.appendingPathComponent("benchmarks-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }
}
