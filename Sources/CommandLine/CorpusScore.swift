import ArgumentParser
import Assessment
import Diagnosis
import Foundation
import Training
import Measurement
import OrderedCollections
import RunStore
import Weights

extension CorpusReading.Run {
  /// The row with each signal's largest value while an alarm still counts, at every step.
  func measured() -> CorpusRow {
    var row = row
    let evidence = evidence(.inProcess)
    let end = row.lastTimelyStep(.inProcess) ?? .max
    for signal in Signal.allCases {
      row.signals[signal.rawValue] = signal.series(of: evidence).upTo(end).maximum?.value
    }
    for spacing in CorpusMeasurement.spacings.dropFirst() {
      let watch = Replay.Watch.files(spacing: spacing)
      let (evidence, end) = (self.evidence(watch), row.lastTimelyStep(watch) ?? .max)
      for signal in [Signal.strideSize, .strideShift, .strideExcess] {
        row.signals["\(signal.rawValue)_\(spacing)"] = signal.series(of: evidence).upTo(end).maximum?.value
      }
    }
    return row
  }
}

/// `spectroscope corpus score`.
struct CorpusScore: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "score", abstract: "Counts what the detectors would have said of the test half of a corpus.",
    discussion: """
      Every run is watched again as it went: at each update in process, and at each checkpoint 1, 5, 10 and 20 steps apart, from weights alone, from \
      behaviour alone, and from both. Runs that collapsed are repeated at the learning rate that the remedy names, and at a third of theirs. \
      The table is named after the version of the detectors, and one that is there is not made again: what is looked at twice is no test any more.
      """)

  @OptionGroup var corpus: CorpusArguments
  @OptionGroup var made: CorpusRuns

  @Option(
    help: ArgumentHelp("The table of the calibration half, for the thresholds of single signals.", valueName: "file"))
  var calibration: String

  @Option(help: ArgumentHelp("The folder of the table to write.", valueName: "dir"))
  var out: String

  static func table(in folder: String, version: Int) -> String { "\(folder)/test-v\(version).csv" }

  func run() throws {
    let path = Self.table(in: out, version: DetectorVersion.current)
    guard !FileManager.default.fileExists(atPath: path) else {
      throw FileError(
        .cannotCreate, path: path, "the test half has been scored with this version of the detectors",
        remedy: "Raise DetectorVersion.current where rules or bounds have changed")
    }
    let thresholds = SignalThresholds(try CorpusTable(reading: calibration).rows)
    var rows = try made.map(.test, corpus) { $0.scored(thresholds) }
    try repeatCollapsed(&rows)
    try PendingFile.write(CorpusTable(rows.map(\.row)).csv, to: path)
    if !corpus.quiet { Console.error("wrote \(path), from \(rows.count) runs") }
  }

  /// Trains the collapsed runs again, at other rates.
  private func repeatCollapsed(_ rows: inout [ScoredRun]) throws {
    let wished = rows.indices.flatMap { index -> [(index: Int, kind: CorpusRow.Repeat, run: Grid.Run)] in
      guard rows[index].row.label == .collapsed else { return [] }
      return rows[index].repetitions.map { (index, $0.kind, $0.run) }
    }
    let progress = corpus.quiet ? nil : ProgressLine()
    defer { progress?.clear() }
    let grid = Grid(runs: wished.map(\.run))
    let session = GridSession(grid: grid, out: made.runs + "/repeats", jobs: corpus.jobCount)
    let outcomes = try session.run { progress?.show($0.steps, $0.text, "steps", $0.labels) }
    for (place, outcome) in zip(wished, outcomes) {
      rows[place.index].row.repeats[place.kind] = CorpusRow.Repetition(
        learningRate: outcome.learningRate, label: outcome.label)
    }
  }
}

/// A run of the test half, and what it is to be repeated as where it collapsed.
struct ScoredRun: Sendable {
  var row: CorpusRow
  var repetitions: [(kind: CorpusRow.Repeat, run: Grid.Run)]
}

extension CorpusReading.Run {
  func scored(_ thresholds: SignalThresholds) -> ScoredRun {
    var row = measured()
    let watches = [Replay.Watch.inProcess] + CorpusMeasurement.spacings.map(Replay.Watch.files)
    for watch in watches {
      let (evidence, looks) = (evidence(watch), looks(watch))
      for sight in Replay.Sight.allCases {
        let replay = Replay(of: evidence, looks: looks, sight: sight)
        row.alarms["\(sight.rawValue)_\(watch.name)"] = replay.alarm
        if sight == .joint, watch == .inProcess || watch == .files(spacing: 1) {
          for (code, step) in replay.alerts.sorted(by: { $0.key < $1.key }) {
            row.alarms["\(code)_\(watch.name)"] = step
          }
        }
      }
      for (signal, threshold) in thresholds.values {
        let crossing = signal.series(of: evidence).points.first { $0.value > threshold }?.step
        row.alarms["\(signal.rawValue)_\(watch.name)"] = crossing.flatMap { step in looks.first { $0 >= step } }
      }
    }
    let alarm = row.alarms["joint_process"]
    let known = alarm.map { evidence(.inProcess).upTo($0) }
    row.cause = known.flatMap { Verdict(on: $0).cause }
    return ScoredRun(row: row, repetitions: repetitions(known: known))
  }

  private func repetitions(known: RunEvidence?) -> [(kind: CorpusRow.Repeat, run: Grid.Run)] {
    let own = configuration.learningRate
    let remedy = known.map { StepSizeRemedy.learningRate(for: $0) ?? own / StepSizeRemedy.usualDivisor }
    let rates: [(CorpusRow.Repeat, Double?)] = [(.remedy, remedy), (.third, own / 3)]
    return rates.compactMap { kind, rate in
      guard let rate else { return nil }
      var configuration = configuration
      (configuration.learningRate, configuration.checkpointEvery, configuration.telemetry) = (rate, 5, .off)
      return (kind, Grid.Run(name: "\(kind.rawValue)-lr\(rate)/\(row.run)", configuration: configuration))
    }
  }
}
