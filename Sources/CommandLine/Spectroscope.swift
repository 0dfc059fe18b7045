import ArgumentParser
import Foundation
import LinearAlgebra
import Logging
import Measurement

/// The root command. One file per subcommand; this one knows their names only.
struct Spectroscope: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "spectroscope",
    abstract: "Shows whether a parameter-efficient fine-tuning run is collapsing, from the weights of its checkpoints.",
    discussion: """
      Start with:
        spectroscope demo             (trains a healthy run and a collapsing one)
        spectroscope inspect PATH     (says what a file or folder is)
        spectroscope analyze RUN --base BASE --out analysis.h5
        spectroscope diagnose analysis.h5   (is it sick, and why?)
        spectroscope report analysis.h5 --out report.html   (the same to look at)
        spectroscope export analysis.h5 --format csv --out spectra/

      Exit codes:
          0  success; the gate says healthy
          1  the gate says alert
          2  the gate is inconclusive
         64  wrong usage
         65  the input's content is bad; what could be analysed is still written
         66  the input cannot be opened
         70  a defect in this program
         73  the output cannot be created
         74  the output cannot be written
        130  interrupted
      """,
    version: programVersion,
    subcommands: [
      Demo.self, Plan.self, Train.self, Lab.self, Corpus.self, Pretrain.self, Analyze.self, Merge.self, Diagnose.self,
      Gate.self,
      Watch.self, Integrate.self,
      Compare.self, WriteReport.self, Serve.self,
      Explain.self, Basis.self, Export.self, Inspect.self, Convert.self, Pack.self, Doctor.self, CopyAnalysis.self,
      ExtractRun.self, PackRun.self,
      UnpackRun.self,
    ])
}

@main enum Main {
  /// Logs go to standard error, at the level that `SPECTROSCOPE_LOG` names; by default there are none but of errors.
  private static func logHandler(label: String) -> any LogHandler {
    var handler = StreamLogHandler.standardError(label: label)
    let level = ProcessInfo.processInfo.environment["SPECTROSCOPE_LOG"].flatMap(Logger.Level.init(rawValue:))
    handler.logLevel = level ?? .error
    return handler
  }

  static func main() {
    Console.reserveStandardDescriptors()
    ResourceLimits.allowManyFiles()
    LoggingSystem.bootstrap(logHandler)
    // The work is spread over modules; threads inside BLAS would only get in each other's way.
    BLASLibrary.useOneThread()
    Memory.keepFreedPages()
    do {
      var command = try Spectroscope.parseAsRoot()
      try command.run()
    } catch {
      Failure.exit(with: error)
    }
  }
}
