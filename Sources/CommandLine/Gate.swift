import ArgumentParser
import Diagnosis
import Foundation
import Measurement
import Reporting
import RunStore
import Weights

extension GateFormat: ExpressibleByArgument {}

/// `spectroscope gate`.
struct Gate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Says by its exit code whether a run is healthy.",
    discussion: """
      Exit code 0: healthy; 1: alert; 2: inconclusive, because there is too little data, or because the run is of a kind \
      for which nothing is calibrated, unless the policy accepts that. Errors have codes of their own, from 64 on.

      A run that is not analysed yet, or has newer checkpoints than its analysis, is analysed at depth update first; \
      nothing is written beside it. Checkpoints of other trainers need --base for that.
      """)

  @Argument(
    help: ArgumentHelp(
      "An analysis file, a run folder, a packed run, a folder of checkpoints, or one adapter folder.", valueName: "file"
    ))
  var file: String?

  @Option(
    help: ArgumentHelp("What may pass, as YAML (default: alerts fail, nothing missing is accepted).", valueName: "file")
  )
  var policy: String?

  @Option(help: "How to say it (default: text).")
  var format: GateFormat?

  @Option(
    help: ArgumentHelp("Write the report to this file instead of standard output.", valueName: "file"))
  var out: String?

  @Option(help: ArgumentHelp("For the analysis: the base model's folder (default: the run's own).", valueName: "dir"))
  var base: String?

  @Option(
    help: ArgumentHelp(
      "For the analysis: the adapter as it was at step 0, where it is kept elsewhere.", valueName: "dir"))
  var initial: String?

  @Option(help: "For the analysis: the method, where the files cannot tell.")
  var method: StatedMethod?

  @Flag(help: "Print the JSON schema of --format json, and do nothing else.")
  var schema = false

  @Flag(help: "The same as --format json.")
  var json = false

  @Flag(help: "Print no progress, no notes and no text; errors, other formats and --out remain.")
  var quiet = false

  func validate() throws {
    if schema { return }
    guard let file else { throw ValidationError("Missing expected argument '<file>'") }
    if file.isEmpty { throw ValidationError("<file> must name a file or folder, found an empty text") }
    if let out, out.isEmpty { throw ValidationError("--out must name a file, found an empty text") }
    if json, let format, format != .json {
      throw ValidationError("--json is --format json, found --format \(format.rawValue) with it")
    }
  }

  func run() throws {
    if schema { return Console.print(GateJSON.schema) }
    let report = try report(on: file!)
    try show(report)
    if report.result.exitCode != 0 { throw ExitCode(report.result.exitCode) }
  }

  private func report(on file: String) throws -> GateReport {
    // An analysis may take long; that the policy cannot be read is better said before it.
    let policy = try policy.map { path throws(FileError) in try PolicyFile.read(from: path) } ?? GatePolicy()
    let subject = GateSubject(
      path: file, base: base, initial: initial, method: method?.method, note: { if !quiet { Console.error($0) } },
      progress: quiet ? nil : ProgressLine())
    let analysis: Analysis
    do {
      analysis = try subject.analysis()
    } catch let error as GateSubject.MissingBase {
      Console.error("Error: \(error.state). To have it analysed, pass its base model's folder with --base")
      throw ExitCode.validationFailure
    }
    let evidence = try subject.evidence(of: analysis)
    return GateReport(
      GateResult(on: evidence, policy: policy), file: file, origin: analysis.origin, method: evidence.method,
      policy: self.policy, version: programVersion)
  }

  private func show(_ report: GateReport) throws(FileError) {
    let format = format ?? (json ? .json : .text)
    let text = format.text(of: report)
    if let out {
      try PendingFile.write(text + "\n", to: out)
    } else if format != .text || !quiet {
      Console.print(text)
    }
  }
}
