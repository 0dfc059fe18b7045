import ArgumentParser
import Weights

/// `spectroscope-benchmarks show`.
struct ShowCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "show", abstract: "Prints the table of a report that --json has written.")

  @Argument(help: ArgumentHelp("The report.", valueName: "file"))
  var files: [String]

  func validate() throws {
    guard files.count == 1 else {
      throw ValidationError(
        "show takes one report, found \(files.count): times of two runs cannot be compared, as the machine did other "
          + "things meanwhile. Run both sides in one")
    }
  }

  func run() throws { print(try BenchmarkReport(contentsOf: files[0]).text) }
}
