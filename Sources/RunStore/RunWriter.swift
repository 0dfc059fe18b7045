import Adapters
import Foundation
import Synchronization
import Training
import Weights

/// Writes a run folder while the run goes on.
///
/// Every file but `training.jsonl` appears whole or not at all, and the folder can be read at any moment: a crash loses at most
/// the checkpoint being written. It may be used from several threads; one process writes a run.
package final class RunWriter: Sendable {
  /// The run folder.
  package let path: String
  package let identity: RunIdentity
  private let initial: AdapterSnapshot
  private let state: Mutex<State>

  private struct State: ~Copyable {
    var records: TrainingRecords
    let log: AppendedFile
  }

  /// Makes the folder, and in it the checkpoint of step 0 and the index.
  ///
  /// - Parameter initial: the adapter at step 0.
  /// - Parameter policy: of the run's own gate.
  /// - Parameter wallTime: seconds since 1970.
  /// - Throws: `.cannotCreate` where the folder cannot be made or already holds a run, `.cannotWrite` where writing fails.
  package init(
    creating path: String, identity: RunIdentity, initial: AdapterSnapshot, policy: RunPolicy? = nil,
    wallTime: Double? = nil
  ) throws(FileError) {
    precondition(initial.step == 0, "a run begins at step 0")
    let path = RunLayout.withoutTrailingSlash(path)
    try Self.makeFolder(path)
    // Before it is a run: a run that is gone on with must not have lost its gate.
    if let policy { try policy.write(toRun: path) } else { unlink(path + "/" + RunLayout.policy) }
    try RunCheckpoint(identity: identity, snapshot: initial, wallTime: wallTime)
      .write(to: path + "/" + RunLayout.checkpoint(0))
    try RunIndex.write(identity, initial: initial, in: path)
    self.path = path
    self.identity = identity
    self.initial = initial
    let log = try AppendedFile(path: path + "/" + RunLayout.records)
    try log.lock(path)
    state = Mutex(State(records: TrainingRecords(), log: log))
  }

  /// Goes on with a run that has begun: makes its index again, and cuts a torn last line off its records.
  ///
  /// - Parameter step: where it goes on, if not at its end; what was recorded later is taken out.
  /// - Parameter interventions: how many had happened there; later ones are taken out as well.
  /// - Throws: `FileError` where there is no run that can be read, another process writes it, or its folder cannot be written to.
  package init(continuing path: String, behind step: Int? = nil, interventions: Int = 0) throws(FileError) {
    let folder = try RunFolder(path: path)
    let log = try AppendedFile(path: folder.path + "/" + RunLayout.records)
    try log.lock(folder.path)
    Self.removeLeftovers(in: folder.path)
    try log.cutTornLine()
    if let step {
      try Self.cut(log, behind: step)
      try Self.removeCheckpoints(behind: step, of: folder)
      try Intervention.keep(interventions, in: folder.path)
    }
    let records = try folder.records()
    self.path = folder.path
    identity = folder.identity
    initial = try folder.initial()
    state = Mutex(State(records: records, log: log))
    try RunIndex.write(identity, initial: initial, in: folder.path)
  }

  /// Writes the adapter at a step as a checkpoint, then renews the index and `training.h5`. A checkpoint of that step is replaced.
  ///
  /// - Parameter wallTime: seconds since 1970.
  /// - Throws: `.cannotCreate` or `.cannotWrite`; what was written before stays as it was.
  package func write(_ snapshot: AdapterSnapshot, wallTime: Double? = nil) throws(FileError) {
    try state.withLock { (state) throws(FileError) in
      try state.log.synchronize()
      try RunCheckpoint(identity: identity, snapshot: snapshot, wallTime: wallTime)
        .write(to: path + "/" + RunLayout.checkpoint(snapshot.step))
      try RunIndex.write(identity, initial: initial, in: path)
      if state.records.isEmpty { return }
      try TrainingFile.write(state.records, to: path + "/" + RunLayout.training)
    }
  }

  /// Appends the record of a step to `training.jsonl`, at once and as one line.
  ///
  /// - Parameter record: a JSON object that begins with `step`, as `TrainingRecords` describes it.
  /// - Throws: `.cannotWrite`, also for something that is no record.
  package func append(_ record: JSONValue) throws(FileError) {
    let checked: TrainingRecords.Record
    do throws(RecordError) {
      checked = try TrainingRecords.Record(json: record)
    } catch {
      throw FileError(.cannotWrite, path: path + "/" + RunLayout.records, error.problem)
    }
    try state.withLock { (state) throws(FileError) in
      try state.log.append(record.text() + "\n")
      state.records.add(checked)
    }
  }

  /// The lines of the records behind a step.
  func lines(behind step: Int) throws(FileError) -> [JSONValue] {
    let file = try PositionedFile(path: path + "/" + RunLayout.records)
    let lines = try file.read(file.size, at: 0).split(separator: UInt8(ascii: "\n"))
    return lines.compactMap { try? JSONValue(parsing: Array($0)) }.filter { $0["step"]?.int.map { $0 > step } ?? false }
  }

  /// Goes back to a checkpoint of this run: what was recorded and written behind it is taken out, and going on begins with `training`. An analysis
  /// of what was goes with it.
  ///
  /// A kill between these steps leaves a run that goes on before them, and comes to them again.
  ///
  /// - Throws: `.cannotCreate` or `.cannotWrite`.
  func goBack(to training: TrainingState) throws(FileError) {
    try state.withLock { (state) throws(FileError) in
      try ResumeFile.write(training, to: path + "/" + RunLayout.resumeFile(training.step))
      let folder = try RunFolder(path: path)
      // The latest first and the records last: whatever is left by a kill can be gone on from, to the same alarm.
      for name in [RunLayout.findings, RunLayout.analysis] { unlink(path + "/" + name) }
      try Self.removeCheckpoints(behind: training.step, of: folder)
      try Self.cut(state.log, behind: training.step)
      state.records = try folder.records()
      try RunIndex.write(identity, initial: initial, in: path)
      try TrainingFile.write(state.records, to: path + "/" + RunLayout.training)
    }
  }

  private static func cut(_ log: borrowing AppendedFile, behind step: Int) throws(FileError) {
    try log.cut { TrainingRecords.step(ofLine: $0).map { $0 <= step } ?? false }
  }

  private static func removeCheckpoints(behind step: Int, of folder: RunFolder) throws(FileError) {
    let late = folder.steps.filter { $0 > max(step, 0) }.reversed().map(RunLayout.checkpoint)
    let states = try RunLayout.resumeSteps(in: folder.path).filter { $0 > step }.map(RunLayout.resumeFile)
    for name in late + states { unlink(folder.path + "/" + name) }
  }

  /// Writes what going on from the next checkpoint needs; older ones go, but for those of the checkpoints before it and of step 0.
  ///
  /// - Parameter count: how many stay, this one among them; nil for all.
  /// - Throws: `.cannotCreate` or `.cannotWrite`.
  package func write(_ training: TrainingState, keeping count: Int? = 2) throws(FileError) {
    try state.withLock { (_) throws(FileError) in
      let folder = path + "/" + RunLayout.resume
      do {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      } catch {
        throw FileError(.cannotCreate, path: folder, "the folder cannot be made", remedy: "Check its permissions")
      }
      try ResumeFile.write(training, to: path + "/" + RunLayout.resumeFile(training.step))
      guard let count else { return }
      let older = try RunLayout.resumeSteps(in: path).filter { $0 > 0 && $0 < training.step }
      for step in older.dropLast(count - 1) { unlink(path + "/" + RunLayout.resumeFile(step)) }
    }
  }

  private static func makeFolder(_ path: String) throws(FileError) {
    guard !RunFolder.isRun(at: path), !FileManager.default.fileExists(atPath: path + "/" + RunLayout.records) else {
      throw FileError(
        .cannotCreate, path: path, "expected a new folder for the run, found one that holds a run",
        remedy: "Name another folder, or delete this one if it is not needed")
    }
    try RunLayout.makeFolders(of: path)
    removeLeftovers(in: path)
  }

  /// Removes what a killed writer of this run has left under temporary names; other files in the folder are not ours.
  private static func removeLeftovers(in path: String) {
    PendingFile.removeLeftovers(in: path) { [RunLayout.index, RunLayout.training].contains($0) }
    for folder in [RunLayout.checkpoints, RunLayout.resume] {
      PendingFile.removeLeftovers(in: path + "/" + folder) { RunLayout.step(ofFileNamed: $0) != nil }
    }
  }
}
