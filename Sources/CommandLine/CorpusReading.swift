import Adapters
import Assessment
import Diagnosis
import Foundation
import LinearAlgebra
import OrderedCollections
import RunStore
import Spectra
import Synchronization
import Training
import Weights

/// The finished runs of one half of a corpus, as rules see them.
struct CorpusReading {
  let description: CorpusFile
  /// The folder that `corpus make` wrote.
  let folder: String
  let half: CorpusRow.Half
  let jobs: Int

  /// One run.
  struct Run {
    var row: CorpusRow
    let configuration: TrainingConfiguration
    /// What training recorded, and the analyses by the spacing of their checkpoints.
    let records: TrainingRecords
    let analyses: [Int: Analysis]

    /// What rules see of the run where it is watched in a certain way.
    func evidence(_ watch: Replay.Watch) -> RunEvidence {
      switch watch {
      case .inProcess: RunEvidence(analyses[1]!, records: records).withoutRows
      case .files(let spacing): RunEvidence(analyses[spacing]!, records: records).withoutLoggedVelocity
      }
    }

    /// When the verdict is asked for.
    func looks(_ watch: Replay.Watch) -> [Int] {
      switch watch {
      case .inProcess: records.records.map(\.step).filter { $0 > 0 }
      case .files(let spacing): Set(analyses[spacing]!.rows.map(\.step)).filter { $0 > 0 }.sorted()
      }
    }
  }

  /// Hands every run over, some at once, and returns what became of them in the order of the file.
  ///
  /// - Throws: `FileError` where a run is not finished; what `body` throws.
  func map<Result: Sendable>(
    report: @escaping @Sendable (_ done: Int, _ total: Int) -> Void = { _, _ in },
    _ body: @escaping @Sendable (Run) throws -> Result
  ) throws -> [Result] {
    let halves = try description.halves()
    let runs = try description.grid(basesIn: folder + "/bases").runs.filter { run in
      halves[String(run.name.prefix { $0 != "/" })] == half
    }
    let results = Mutex([Int: Result]())
    try forEachConcurrently(Array(runs.enumerated()), workers: jobs, shouldStop: { Interruption.isWished }) {
      index, run in
      let result = try body(try read(run))
      let done = results.withLock { results in
        results[index] = result
        return results.count
      }
      report(done, runs.count)
    }
    let found = results.withLock { $0 }
    guard found.count == runs.count else { throw TrainingInterrupted(message: "nothing was written") }
    return runs.indices.map { found[$0]! }
  }

  private func read(_ run: Grid.Run) throws(FileError) -> Run {
    let path = folder + "/runs/" + run.name
    guard CorpusMeasurement().isDone(path) else {
      throw FileError(
        .cannotOpen, path: path, "expected a finished run of the corpus, found none or a part of one",
        remedy: "Finish it with `spectroscope corpus make`")
    }
    let records = try TrainingRecords(path: path + "/" + RunLayout.records)
    var analyses: [Int: Analysis] = [:]
    for spacing in CorpusMeasurement.spacings {
      analyses[spacing] = try AnalysisFile.read(from: CorpusMeasurement.analysis(of: path, spacing: spacing))
    }
    let timeline = Timeline(records)
    let retention = timeline["retention"].last?.value
    guard let course = RunCourse(accuracies: timeline["accuracy"], retention: retention) else {
      throw FileError(.badContent, path: path, "expected records with accuracy, found none")
    }
    let configuration = run.configuration
    let row = CorpusRow(
      run: run.name, half: half, base: URL(fileURLWithPath: configuration.base).lastPathComponent,
      task: configuration.task,
      method: RunOutcome.methodName(
        configuration.method, start: (configuration.adapter.directions, configuration.adapter.magnitudes)),
      rank: analyses[1]!.setup.rank, learningRate: configuration.learningRate, warmsUp: configuration.warmupSteps > 1,
      seed: configuration.seed, steps: records.records.last?.step ?? 0, course: course, retention: retention)
    return Run(row: row, configuration: configuration, records: records, analyses: analyses)
  }
}
