import ArgumentParser
import Measurement
import Weights

/// `spectroscope inspect`.
struct Inspect: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Says what a file or folder is, and what is wrong with it.",
    discussion: """
      Knows run folders and packed runs, adapter folders, series of checkpoints, base models, analysis files, and what is often found in \
      their place: Git LFS pointers, truncated files, pickles. Exit code 65 where something is broken, 66 where it cannot \
      be opened.
      """)

  @Argument(help: ArgumentHelp("A file or folder.", valueName: "path"))
  var path: String

  @OptionGroup var output: OutputOptions

  func run() throws {
    let reader = Inspection.Reader(
      analysis: { path throws(FileError) in try GuardedReading.analysis(at: path) },
      run: { path throws(FileError) in try GuardedReading.run(at: path) },
      isPackedRun: { path throws(FileError) in try RunLocation.folder(of: path) != nil },
      locateBase: { base throws(FileError) in try BaseLocation.folder(for: base) })
    let inspection = try Inspection(path: path, reader: reader)
    if output.json {
      Console.print(inspection.json.text(pretty: true))
    } else if !output.quiet {
      Console.print(Console.bold(path) + ": " + inspection.text)
    }
    if inspection.isBroken { throw ExitCode(FileError.Kind.badContent.exitCode) }
  }
}
