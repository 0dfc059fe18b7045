import ArgumentParser
import Foundation
import Measurement
import Reporting
import RunStore
import Weights

/// `spectroscope corpus`.
struct Corpus: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Makes labelled runs, takes the detectors' bounds from one half, and counts their errors on the other.",
    subcommands: [CorpusMake.self, CorpusCalibrate.self, CorpusScore.self, CorpusGate.self, CorpusPage.self])
}

/// `spectroscope corpus make`.
struct CorpusMake: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "make", abstract: "Trains and measures every run of a corpus.",
    discussion: """
      The file names bases, by the options of pretrain, and grids of runs, by those of lab. Each run is trained with a checkpoint and a \
      measurement of accuracy at every step, and analysed from checkpoints 1, 5, 10 and 20 steps apart; of the checkpoints only the last one is kept. \
      The same command goes on where it was interrupted. Results do not depend on --jobs.
      """)

  @OptionGroup var corpus: CorpusArguments

  @Option(help: ArgumentHelp("The folder to write.", valueName: "dir"))
  var out: String

  func validate() throws {
    if out.isEmpty { throw ValidationError("--out must name a folder, found an empty text") }
  }

  func run() throws {
    let description = try CorpusFile(path: corpus.file)
    let bases = out + "/bases"
    try description.makeBases(in: bases, quiet: corpus.quiet)
    let progress = corpus.quiet ? nil : ProgressLine()
    defer { progress?.clear() }
    Interruption.listen()
    let grid = try description.grid(basesIn: bases)
    var session = GridSession(grid: grid, out: out + "/runs", jobs: corpus.jobCount)
    session.sequel = CorpusMeasurement()
    let outcomes = try session.run { progress?.show($0.steps, $0.text, "steps", $0.labels) }
    progress?.clear()
    if !corpus.quiet { Console.error("wrote \(out): \(outcomes.count) runs") }
  }
}

/// Analyses a run of the corpus from checkpoints at several spacings, and then drops all of them but the last.
struct CorpusMeasurement: GridSession.Sequel {
  /// Steps from one checkpoint to the next.
  static let spacings = [1, 5, 10, 20]

  static func analysis(of folder: String, spacing: Int) -> String { "\(folder)/analysis-\(spacing).h5" }

  /// The last spacing's analysis is written last.
  func isDone(_ folder: String) -> Bool {
    FileManager.default.fileExists(atPath: Self.analysis(of: folder, spacing: Self.spacings.last!))
  }

  func run(_ folder: String) throws {
    // These files are this process's own.
    let run = try ExtractedRun(of: folder)
    for spacing in Self.spacings {
      var options = try MeasurementOptions(
        run: run, base: BaseLocation.folder(for: run.identity.base), output: Self.analysis(of: folder, spacing: spacing)
      )
      // No rule that alerts needs more.
      (options.every, options.depth) = (spacing, .geometry)
      _ = try MeasurementPlan(options).run(options)
    }
    for step in run.steps.dropLast() {
      try FileManager.default.removeItem(atPath: folder + "/" + RunLayout.checkpoint(step))
    }
  }
}
