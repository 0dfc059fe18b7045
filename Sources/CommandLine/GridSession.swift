import Foundation
import LinearAlgebra
import Measurement
import Reporting
import RunStore
import Synchronization
import Training
import Weights

/// The runs of a grid in one folder: those that are there are kept, the others are made, some at once, and a summary is kept up to date.
struct GridSession {
  let grid: Grid
  let out: String
  let jobs: Int

  /// How far it is.
  struct Progress {
    var runs: MeasurementPlan.Progress
    var steps: MeasurementPlan.Progress
    /// The labels of the finished runs.
    var labels: [RunOutcome]
  }

  /// One run that is not finished.
  private struct Task {
    let index: Int
    let run: Grid.Run
    let state: RunOutcome.State
  }

  private struct Standing {
    var outcomes: [RunOutcome?]
    /// Steps done of each run.
    var steps: [Int]
  }

  /// Trains what is missing.
  ///
  /// - Returns: how the runs ended, in the order of the grid.
  /// - Throws: before anything is changed, where a folder holds another run; `TrainingInterrupted`.
  func run(report: @escaping @Sendable (Progress) -> Void) throws -> [RunOutcome] {
    var bases: [String: LoadedBase] = [:]
    for run in grid.runs where bases[run.configuration.base] == nil {
      bases[run.configuration.base] = try LoadedBase(run.configuration.base)
    }
    let states = try grid.runs.map { run in
      try RunOutcome.state(of: path(run), run.configuration, baseID: bases[run.configuration.base]!.id)
    }
    let tasks = zip(grid.runs, states).enumerated().compactMap { index, part -> Task? in
      if case .finished = part.1 { return nil }
      return Task(index: index, run: part.0, state: part.1)
    }
    let outcomes = states.map { state in if case .finished(let outcome) = state { outcome } else { nil } as RunOutcome?
    }
    let steps = zip(grid.runs, outcomes).map { $1 == nil ? 0 : $0.configuration.steps }
    let standing = Mutex(Standing(outcomes: outcomes, steps: steps))
    let kept = (runs: outcomes.count { $0 != nil }, steps: steps.reduce(0, +))
    try write(outcomes)
    try forEachConcurrently(tasks, workers: jobs, shouldStop: { Interruption.isWished }) { [bases] task in
      let base = bases[task.run.configuration.base]!
      let isFinished = try train(task, base) { step in
        report(
          standing.withLock {
            $0.steps[task.index] = step; return progress($0, kept)
          })
      }
      guard isFinished else { return }
      guard
        case .finished(let outcome) = try RunOutcome.state(of: path(task.run), task.run.configuration, baseID: base.id)
      else { throw FileError(.cannotWrite, path: path(task.run), "the run that was just written cannot be read") }
      try standing.withLock { standing in
        standing.outcomes[task.index] = outcome
        standing.steps[task.index] = task.run.configuration.steps
        try write(standing.outcomes)
        report(progress(standing, kept))
      }
    }
    return try finish(standing.withLock { $0.outcomes })
  }

  /// The folder of a run.
  private func path(_ run: Grid.Run) -> String { out + "/" + run.name }

  /// Trains one run from its beginning; false where it was interrupted.
  ///
  /// The one place that decides what becomes of a run that has begun.
  private func train(_ task: Task, _ base: LoadedBase, report: @escaping (Int) -> Void) throws -> Bool {
    let folder = path(task.run)
    if task.state == .unfinished {
      do {
        try FileManager.default.removeItem(atPath: folder)
      } catch {
        throw FileError(.cannotCreate, path: folder, "the unfinished run cannot be removed")
      }
    }
    let session = TrainingSession(task.run.configuration, out: folder, threads: 1, base: base)
    if case .interrupted = try session.run(report: { report($0.step) }) { return false }
    return true
  }

  private func progress(_ standing: Standing, _ kept: (runs: Int, steps: Int)) -> Progress {
    let outcomes = standing.outcomes.compactMap(\.self)
    return Progress(
      runs: MeasurementPlan.Progress(done: outcomes.count, resumed: kept.runs, total: grid.runs.count),
      steps: MeasurementPlan.Progress(
        done: standing.steps.reduce(0, +), resumed: kept.steps,
        total: grid.runs.reduce(0) { $0 + $1.configuration.steps }),
      labels: outcomes)
  }

  private var summary: String { out + "/summary.csv" }
  private var critical: String { out + "/critical.csv" }

  private func write(_ outcomes: [RunOutcome?]) throws(FileError) {
    do {
      try FileManager.default.createDirectory(atPath: out, withIntermediateDirectories: true)
    } catch {
      throw FileError(
        .cannotCreate, path: out, "the folder cannot be made", remedy: "Check the path and its permissions")
    }
    try PendingFile.write(LaboratoryTable(outcomes.compactMap(\.self)).summary, to: summary)
  }

  /// Critical rates are those of the whole grid, or none.
  private func finish(_ outcomes: [RunOutcome?]) throws -> [RunOutcome] {
    let finished = outcomes.compactMap(\.self)
    guard finished.count == outcomes.count else {
      throw TrainingInterrupted(
        message: "\(finished.count) of \(outcomes.count) runs are done and kept in \(out). The same command goes on "
          + "from there")
    }
    try PendingFile.write(LaboratoryTable(finished).critical, to: critical)
    return finished
  }
}
