import ArgumentParser
import Assessment
import Diagnosis
import Foundation
import OrderedCollections
import RunStore
import Weights

/// `spectroscope corpus calibrate`.
struct CorpusCalibrate: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "calibrate", abstract: "Takes the detectors' bounds from the calibration half of a corpus.",
    discussion: """
      Writes the bounds as Swift source, which the program is built from, and a table of the runs. Runs of the test half are not read. The \
      table has the runs' excesses over the bounds that this program was built with: build it again and repeat the command for those of the new ones.
      """)

  @OptionGroup var corpus: CorpusArguments
  @OptionGroup var made: CorpusRuns

  @Option(help: ArgumentHelp("The Swift file to write.", valueName: "file"))
  var swift: String

  @Option(help: ArgumentHelp("The table of runs to write (CSV).", valueName: "file"))
  var table: String

  func run() throws {
    let runs = try made.map(.calibration, corpus) { run in
      (row: run.measured(), strides: CorpusMeasurement.spacings.map(run.observation(spacing:)))
    }
    var rows = runs.map(\.row)
    let strides = CorpusMeasurement.spacings.enumerated().map { index, spacing in
      let (bounds, elsewhere) = Calibration.strideBounds(spacing: spacing, runs.compactMap { $0.strides[index] })
      for index in rows.indices { rows[index].signals["excess_elsewhere_\(spacing)"] = elsewhere[rows[index].run] }
      return bounds
    }
    guard let velocity = Calibration.behaviourBound(.klIncrement, rows),
      let level = Calibration.behaviourBound(.klLevel, rows), let rise = Calibration.behaviourBound(.entropyRise, rows),
      let fall = Calibration.behaviourBound(.rewardFall, rows)
    else {
      throw FileError(
        .badContent, path: made.runs, "expected healthy runs in the calibration half, found none of \(rows.count)",
        remedy: "Add runs at lower learning rates")
    }
    let text = Calibration.swift(
      strides, ["klVelocity": velocity, "klLevel": level, "entropyRise": rise, "rewardFall": fall],
      source: URL(fileURLWithPath: corpus.file).lastPathComponent)
    try PendingFile.write(text, to: swift)
    try PendingFile.write(CorpusTable(rows).csv, to: table)
    if !corpus.quiet { Console.error("wrote \(swift) and \(table), from \(rows.count) runs") }
  }
}

extension CorpusReading.Run {
  /// The strides that may still warn, from checkpoints so many steps apart, or at every step from the record. Nil where there are none.
  func observation(spacing: Int) -> Calibration.Observation? {
    let watch: Replay.Watch = spacing == 1 ? .inProcess : .files(spacing: spacing)
    let evidence = evidence(watch)
    let end = row.lastTimelyStep(watch) ?? .max
    let strides = evidence.strides.filter { $0.step <= end }
    guard !strides.isEmpty else { return nil }
    return Calibration.Observation(
      run: row.run, base: row.base, method: evidence.boundedMethod, label: row.label, strides: strides)
  }
}
