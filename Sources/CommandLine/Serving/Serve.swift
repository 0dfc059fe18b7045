import ArgumentParser
import Foundation
import Measurement
import Weights

/// `spectroscope serve`.
struct Serve: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Shows the report in a browser, and keeps it up to date while runs go on.",
    discussion: """
      The page of `spectroscope report`, on this machine alone: 127.0.0.1 and ::1. It follows what its files do: a run folder is measured again \
      whenever it has a new checkpoint, an analysis read again when it has changed, and of a folder that `spectroscope watch` follows its analysis \
      is shown. Nothing is written.

      To see it from elsewhere, forward the port: ssh -L 8717:localhost:8717 HOST. An interruption ends it, with code 0.
      """)

  @Argument(
    help: ArgumentHelp(
      "Run folders, packed runs, analysis files, folders that are watched, or a folder of lab.", valueName: "file"))
  var files: [String]

  @Option(help: ArgumentHelp("The port; 0 takes any that is free.", valueName: "n"))
  var port: UInt16 = 8717

  @Option(help: ArgumentHelp("How often to look for something new, in seconds.", valueName: "seconds"))
  var interval = 2.0

  @Option(help: "How deep run folders are measured, as in analyze.")
  var depth: MeasurementDepth = .auto

  @Flag(help: "Print the address alone.")
  var quiet = false

  func validate() throws {
    if !(interval.isFinite && interval >= 0.1) {
      throw ValidationError("--interval must be at least 0.1, found \(interval)")
    }
  }

  func run() throws {
    let source = PageSource(files, depth: depth)
    try source.requireFiles()
    Interruption.listen()
    let page = ServedPage(source.waiting)
    let server = try PageServer(page, port: port)
    defer { server.stop() }
    Console.print("http://localhost:\(server.port)/")
    if !quiet { Console.error("Ctrl-C ends it.") }
    while !Interruption.isWished {
      if let problem = source.refresh(page), !quiet { Console.error(problem) }
      Interruption.wait(interval)
    }
  }
}
