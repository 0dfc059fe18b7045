import Adapters
import ArgumentParser
import Foundation
import LinearAlgebra
import Measurement
import Reporting
import RunStore
import Synchronization
import Training
import Weights

/// `spectroscope demo`.
struct Demo: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Trains a healthy run and a collapsing one, and sets them side by side.",
    discussion: """
      Two runs on the base that is a part of this program, under reinforcement learning with verifiable rewards: the same \
      problems, the same learning rate and seed, once with LoRA and once with PiSSA. Each is analysed and diagnosed, and report.html shows both. The run \
      folders stay, and `spectroscope diagnose`, `compare`, `report` and `export` read them like any other.
      """)

  @Option(help: ArgumentHelp("The folder to write; earlier runs of the demo in it are replaced.", valueName: "dir"))
  var out = "demo"

  @OptionGroup var threads: ThreadOptions

  @Flag(help: "Print no progress and no notes.")
  var quiet = false

  func validate() throws {
    if out.isEmpty { throw ValidationError("--out must name a folder, found an empty text") }
  }

  /// PiSSA's critical rate on this task lies well below this one, LoRA's well above. The long warm-up lets PiSSA learn before it
  /// passes its own, so that the collapse can be watched.
  private static let learningRate = 5e-3
  private static let warmupSteps = 20
  /// Often enough for several checkpoints before the collapse.
  private static let checkpointEvery = 4

  /// One of the two runs.
  private struct Part: Sendable {
    let method: AdapterMethod
    let name: String
    let folder: String
  }

  private var parts: [Part] {
    [
      Part(method: .lora, name: "LoRA", folder: out + "/lora"),
      Part(method: .pissa, name: "PiSSA", folder: out + "/pissa"),
    ]
  }

  func run() throws {
    for part in parts { try Self.removeEarlierRun(part.folder) }
    if !quiet {
      Console.error("training LoRA and PiSSA on the same problems, both at a learning rate of \(Self.learningRate)")
    }
    Interruption.listen()
    try train()
    let runs = try parts.map(analyze)
    let comparison = RunComparison(runs)
    Console.print(comparison.table + "\n\n" + comparison.legend + "\n\n" + comparison.outcome)
    for (part, run) in zip(parts, runs) {
      let analysed = AnalysedRun(analysis: run.analysis, records: run.records)
      try analysed.writeFindings(toRun: part.folder)
      Console.print("\n" + Console.bold("The diagnosis of \(part.name): ") + analysed.diagnosis.text)
    }
    try writeReport(of: runs)
    if !quiet {
      Console.error(
        "wrote \(parts.map(\.folder).joined(separator: " and ")), and \(report), which a browser shows; go on with one of"
      )
      for part in parts { Console.error("  spectroscope export \(part.folder) --format csv --out \(part.folder)-csv") }
    }
  }

  private var report: String { out + "/report.html" }

  /// Writes the page that `spectroscope report` would write of the two runs.
  private func writeReport(of runs: [RunComparison.Run]) throws {
    let folders = parts.map(\.folder)
    let named = zip(runs, zip(folders, Compare.names(of: folders))).map { run, place in
      ComparedRun(name: place.1, path: place.0, analysis: run.analysis, records: run.records)
    }
    let report = Report(named, command: ["report"] + folders + ["--out", self.report], version: programVersion)
    try PendingFile.write(ReportPage(report).html, to: self.report)
  }

  private func train() throws {
    let progress = quiet ? nil : ProgressLine()
    defer { progress?.clear() }
    let lines = Mutex([String](repeating: "", count: parts.count))
    let each = max(1, threads.count / parts.count)
    try forEachConcurrently(Array(parts.enumerated()), workers: threads.count) { index, part in
      let session = TrainingSession(Self.configuration(part.method), out: part.folder, threads: each)
      let ending = try session.run(
        .init(record: { record in
          let line = lines.withLock { lines in
            lines[index] = Self.text(record, of: part)
            return lines.filter { !$0.isEmpty }.joined(separator: "   ")
          }
          progress?.show(line)
        }))
      if case .interrupted = ending { throw TrainingInterrupted(message: "nothing was compared") }
    }
  }

  /// Short, so that both runs fit into one line of a terminal.
  private static func text(_ record: TrainingRecord, of part: Part) -> String {
    let reward = record["reward"].map { String(format: "  reward %.2f", $0) } ?? ""
    return "\(part.name) step \(record.step)/\(configuration(part.method).steps)\(reward)"
  }

  private static func configuration(_ method: AdapterMethod) -> TrainingConfiguration {
    var configuration = TrainingConfiguration()
    configuration.method = method
    (configuration.learningRate, configuration.warmupSteps) = (learningRate, warmupSteps)
    configuration.checkpointEvery = checkpointEvery
    return configuration
  }

  private func analyze(_ part: Part) throws -> RunComparison.Run {
    let options = try Analyze.options(ofRun: part.folder, jobs: threads.count)
    let outcome = try MeasurementPlan(options).run(options, shouldStop: { Interruption.isWished })
    return RunComparison.Run(
      name: part.name, analysis: outcome.analysis,
      records: try TrainingRecords(path: part.folder + "/" + RunLayout.records))
  }

  /// Only what holds a run is removed.
  private static func removeEarlierRun(_ folder: String) throws(FileError) {
    guard RunFolder.isRun(at: folder) else { return }
    do {
      try FileManager.default.removeItem(atPath: folder)
    } catch {
      throw FileError(.cannotCreate, path: folder, "the run of an earlier demo cannot be removed")
    }
  }
}
