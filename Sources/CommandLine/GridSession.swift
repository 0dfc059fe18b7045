import Diagnosis
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
  /// Whose part of the runs it is; nil for all. The tables of the grid are then left to who looks at all of it.
  var shard: Shard?
  /// What else is done with a run that has ended, before it counts as finished.
  var sequel: (any Sequel)?
  /// The gate of every run; nil for none.
  var gate: (@Sendable (RunSetup) -> TrainingGate)?

  /// What is done with each run behind its end.
  protocol Sequel: Sendable {
    /// Whether it has been done with the run in a folder.
    func isDone(_ folder: String) -> Bool
    func run(_ folder: String) throws
  }

  /// How far it is.
  struct Progress {
    /// How many runs there are.
    var total: Int
    /// Steps of all runs.
    var steps: MeasurementPlan.Progress
    /// How the finished runs ended.
    var outcomes: [RunOutcome]

    var text: String { "\(outcomes.count)/\(total) runs, steps" }

    /// How many ended in which way.
    var labels: String {
      RunLabel.allCases.compactMap { label in
        let count = outcomes.count { $0.label == label }
        return count == 0 ? nil : "\(count) \(label.rawValue)"
      }.joined(separator: ", ")
    }
  }

  /// One run of the grid.
  private struct Part {
    /// Its place among the parts of this session.
    let index: Int
    let run: Grid.Run
    let folder: String
    let base: LoadedBase
    /// What its folder held in the beginning.
    let state: RunOutcome.State
  }

  /// What changes while runs go on.
  private struct Standing {
    var outcomes: [RunOutcome?]
    /// Steps done of each run.
    var steps: [Int]
    /// Steps that an earlier start had done.
    let kept: Int

    init(_ parts: [Part]) {
      outcomes = parts.map(\.state.outcome)
      steps = parts.map { $0.state.outcome == nil ? 0 : $0.run.configuration.steps }
      kept = steps.reduce(0, +)
    }
  }

  /// Trains what is missing.
  ///
  /// - Returns: how the runs ended, in the order of the grid.
  /// - Throws: before anything is changed, where a folder holds another run; `TrainingInterrupted`.
  func run(report: @escaping @Sendable (Progress) -> Void) throws -> [RunOutcome] {
    let parts = try parts()
    let standing = Mutex(Standing(parts))
    try makeFolder()
    try standing.withLock { try write($0.outcomes) }
    let missing = parts.filter { $0.state.outcome == nil || sequel?.isDone($0.folder) == false }
    try forEachConcurrently(missing, workers: jobs, shouldStop: { Interruption.isWished }) { part in
      let outcome = try train(part) { step in
        report(
          standing.withLock { standing in
            standing.steps[part.index] = step
            return progress(standing, of: parts)
          })
      }
      guard let outcome else { return }
      try sequel?.run(part.folder)
      try standing.withLock { standing in
        standing.outcomes[part.index] = outcome
        standing.steps[part.index] = part.run.configuration.steps
        try write(standing.outcomes)
        report(progress(standing, of: parts))
      }
    }
    return try finish(standing.withLock { $0.outcomes })
  }

  /// The runs with what their folders hold; every base is loaded once.
  private func parts() throws -> [Part] {
    var bases: [String: LoadedBase] = [:]
    for name in grid.runs.map(\.configuration.base) where bases[name] == nil { bases[name] = try LoadedBase(name) }
    // Which runs collapse, and end early, nobody knows yet.
    func cost(_ run: Grid.Run) -> Double {
      Double(run.configuration.steps * bases[run.configuration.base]!.model.parameters.count)
    }
    let runs = shard?.part(of: grid.runs, cost: cost) ?? grid.runs
    return try runs.enumerated().map { index, run in
      let base = bases[run.configuration.base]!
      let folder = out + "/" + run.name
      // A file of questions is a part of what the run is.
      var opened = run.configuration
      let task = try opened.openTask(for: base.model)
      try opened.requireFit(to: base.model, task: task)
      let run = Grid.Run(name: run.name, configuration: opened)
      let state = try RunOutcome.state(of: folder, opened, baseID: base.id)
      return Part(index: index, run: run, folder: folder, base: base, state: state)
    }
  }

  /// Trains one run to its end, from where it was left; nil where it was interrupted.
  ///
  /// The one place that decides what becomes of a run that has begun.
  private func train(_ part: Part, report: @escaping (Int) -> Void) throws -> RunOutcome? {
    if let outcome = part.state.outcome { return outcome }
    let session = TrainingSession(
      part.run.configuration, out: part.folder, threads: 1, resumes: part.state == .unfinished, beginsAgain: true,
      base: part.base, gate: gate)
    if case .interrupted = try session.run(.init(record: { report($0.step) })) { return nil }
    let state = try RunOutcome.state(of: part.folder, part.run.configuration, baseID: part.base.id)
    guard let outcome = state.outcome else {
      throw FileError(.cannotWrite, path: part.folder, "the run that was just written cannot be read")
    }
    return outcome
  }

  private func progress(_ standing: Standing, of parts: [Part]) -> Progress {
    Progress(
      total: parts.count,
      steps: MeasurementPlan.Progress(
        done: standing.steps.reduce(0, +), resumed: standing.kept,
        total: parts.reduce(0) { $0 + $1.run.configuration.steps }),
      outcomes: standing.outcomes.compactMap(\.self))
  }

  private var summary: String { out + "/summary.csv" }
  private var critical: String { out + "/critical.csv" }

  private func makeFolder() throws(FileError) {
    do {
      try FileManager.default.createDirectory(atPath: out, withIntermediateDirectories: true)
    } catch {
      throw FileError(
        .cannotCreate, path: out, "the folder cannot be made", remedy: "Check the path and its permissions")
    }
  }

  private func write(_ outcomes: [RunOutcome?]) throws(FileError) {
    if shard != nil { return }
    try PendingFile.write(LaboratoryTable(outcomes.compactMap(\.self)).summary, to: summary)
  }

  /// Critical rates are those of the whole grid, or none; a gate that lowers rates leaves none.
  private func finish(_ outcomes: [RunOutcome?]) throws -> [RunOutcome] {
    let finished = outcomes.compactMap(\.self)
    guard finished.count == outcomes.count else {
      throw TrainingInterrupted(
        message: "\(finished.count) of \(outcomes.count) runs are done and kept in \(out). The same command goes on "
          + "from there")
    }
    if gate == nil, shard == nil { try PendingFile.write(LaboratoryTable(finished).critical, to: critical) }
    return finished
  }
}
