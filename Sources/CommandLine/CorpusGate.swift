import ArgumentParser
import Assessment
import Diagnosis
import Foundation
import RunStore
import Training
import Weights

/// `spectroscope corpus gate`.
struct CorpusGate: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "gate", abstract: "Trains the test half's collapsed and clean runs again, under gates that roll back.",
    discussion: """
      Four gates: the verdict's, with the learning rate that its remedy names, and with a third of the rate; and, with a third of the rate, one that goes back \
      where the reward has dropped from its peak, and one where the KL is too high, each with the threshold that one healthy run of the calibration half in a hundred \
      crosses. Checkpoints are 5 steps apart. The same command goes on where it was interrupted.
      """)

  @OptionGroup var corpus: CorpusArguments
  @OptionGroup var made: CorpusRuns

  @Option(
    help: ArgumentHelp(
      "The folder of calibration.csv and the test table; the table is written there.", valueName: "dir"))
  var tables: String

  static func table(in folder: String, version: Int) -> String { "\(folder)/gated-v\(version).csv" }

  func run() throws {
    let version = DetectorVersion.current
    let thresholds = SignalThresholds(try CorpusTable(reading: tables + "/calibration.csv").rows)
    let rows = try CorpusTable(reading: CorpusScore.table(in: tables, version: version)).rows
    let names = Set(rows.filter { $0.label == .collapsed || $0.label == .clean }.map(\.run))
    let runs = try CorpusFile(path: corpus.file).grid(basesIn: made.runs + "/bases").runs.filter {
      names.contains($0.name)
    }
    let gated = try Rollback.allCases.flatMap { try train(runs, under: $0, thresholds, version: version) }
    let path = Self.table(in: tables, version: version)
    try PendingFile.write(GatedTable(gated).csv, to: path)
    if !corpus.quiet { Console.error("wrote \(path), from \(gated.count) runs") }
  }

  private func train(
    _ runs: [Grid.Run], under rollback: Rollback, _ thresholds: SignalThresholds, version: Int
  ) throws -> [GatedRun] {
    let grid = Grid(
      runs: runs.map { run in
        var run = run
        run.configuration.checkpointEvery = 5
        return run
      })
    let progress = corpus.quiet ? nil : ProgressLine()
    defer { progress?.clear() }
    Interruption.listen()
    let out = "\(made.runs)/gated-v\(version)/\(rollback.rawValue)"
    var session = GridSession(grid: grid, out: out, jobs: corpus.jobCount)
    session.gate = { rollback.gate($0, thresholds) }
    let outcomes = try session.run { progress?.show($0.steps, "\(rollback.rawValue): " + $0.text, "steps", $0.labels) }
    return try zip(runs, outcomes).map { run, outcome in
      GatedRun(
        rollback, run: run.name, label: outcome.label, accuracy: outcome.finalAccuracy,
        interventions: try Intervention.count(in: out + "/" + run.name))
    }
  }
}
