import Adapters
import Foundation
import Weights

/// Turns the checkpoints of a run into a series of PEFT adapter folders, `checkpoint-N`, for the readers of such series.
///
/// Reading a damaged HDF5 file may crash the process. So each file is announced in a journal before it is read, and an extraction
/// that is started again on the same folder goes on behind the file that it ended at.
package struct RunExtraction {
  private let run: String
  private let folder: String
  private var journal: ExtractionJournal

  /// An extraction of the run folder at `run` to `folder`, which exists; with what an earlier start has left in there.
  package init(of run: String, to folder: String) throws(FileError) {
    self.run = RunLayout.withoutTrailingSlash(run)
    self.folder = folder
    journal = try ExtractionJournal(of: self.run, in: folder)
  }

  /// Extracts everything that is sound. What is not is in the journal, for `ExtractedRun`.
  ///
  /// - Parameter mendsIndex: make `run.h5` again where it is missing.
  /// - Throws: `FileError` where the checkpoints cannot be listed, or `folder` not written to.
  package mutating func extract(mendsIndex: Bool = false) throws(FileError) {
    if has(RunLayout.index) {
      try journal.note(RunLayout.index) { () throws(FileError) in try RunIndex.identity(in: run) }
    }
    for step in try RunLayout.steps(in: run) { try extract(step) }
    if !journal.hasRead(RunLayout.checkpoint(0)) { try extractInitial() }
    if mendsIndex, !has(RunLayout.index) { mendIndex() }
  }

  private func has(_ name: String) -> Bool { FileManager.default.fileExists(atPath: run + "/" + name) }

  private mutating func extract(_ step: Int) throws(FileError) {
    let name = RunLayout.checkpoint(step)
    let identity = journal.identity
    var found: RunCheckpoint?
    try journal.note(name) { () throws(FileError) in
      let checkpoint = try RunCheckpoint.read(from: run + "/" + name, step: step, of: identity)
      found = checkpoint
      return checkpoint.identity
    }
    if let found { try write(found.snapshot, of: found.identity ?? journal.identity, readFrom: name) }
  }

  /// The adapter at step 0 from the index, where its checkpoint is lost.
  private mutating func extractInitial() throws(FileError) {
    guard journal.hasRead(RunLayout.index) else { return }
    var snapshot: AdapterSnapshot?
    try journal.note(RunLayout.index + "/initial") { () throws(FileError) in
      snapshot = try RunIndex.initial(in: run)
      return nil
    }
    if let snapshot { try write(snapshot, of: journal.identity, readFrom: RunLayout.index) }
  }

  /// - Parameter identity: the checkpoint's own, whose configuration may differ from that of others.
  private func write(
    _ snapshot: AdapterSnapshot, of identity: RunIdentity?, readFrom name: String
  ) throws(FileError) {
    guard let identity, PEFTFolder.method(named: identity.method) != nil else { return }
    let time = try PositionedFile(path: run + "/" + name).identity.modificationTime
    do throws(FileError) {
      try PEFTFolder.write(
        snapshot, of: identity, to: "\(folder)/checkpoint-\(snapshot.step)", modificationTime: time)
    } catch {
      throw FileError(
        error.kind, path: run, "its checkpoints cannot be copied to \(folder): \(error.problem)",
        remedy: "Set TMPDIR to a folder with enough free space")
    }
  }

  /// What the index holds is in the checkpoints; that it cannot be written is no reason to stop.
  private func mendIndex() {
    let name = RunLayout.checkpoint(0)
    guard journal.hasRead(name), let identity = journal.identity,
      let checkpoint = try? RunCheckpoint.read(from: run + "/" + name, step: 0, of: identity)
    else { return }
    try? RunIndex.write(identity, initial: checkpoint.snapshot, in: run)
  }
}

/// Which files of a run were read and with what result, one line of JSON each time a file is begun or ended.
struct ExtractionJournal {
  /// What became of a file.
  enum Outcome {
    /// It was begun and not ended: reading it has ended the process.
    case begun
    case failed(FileError)
    case read
  }

  /// By the file's name in the run folder, in the order of reading.
  private(set) var outcomes: [(name: String, outcome: Outcome)] = []
  /// That of the first file that has one.
  private(set) var identity: RunIdentity?
  private let run: String
  private let path: String

  /// Reads the journal of the run folder at `run` in `folder`, if there is one.
  init(of run: String, in folder: String) throws(FileError) {
    self.run = run
    path = folder + "/extraction.jsonl"
    guard FileManager.default.fileExists(atPath: path) else { return }
    let file = try PositionedFile(path: path)
    for line in try file.read(file.size, at: 0).split(separator: UInt8(ascii: "\n")) {
      guard let entry = try? JSONValue(parsing: Array(line)) else { continue }
      take(entry)
    }
  }

  /// Runs `body`, which reads the file of that name, unless that was begun before, and notes beginning and end.
  ///
  /// Throws where the journal cannot be written. What `body` throws is the file's outcome.
  mutating func note(_ name: String, reading body: () throws(FileError) -> RunIdentity?) throws(FileError) {
    guard !outcomes.contains(where: { $0.name == name }) else { return }
    try append(["begin": .string(name)])
    do throws(FileError) {
      let found = try body()
      try append(["end": .string(name), "identity": identity == nil ? found?.json ?? .null : .null])
    } catch {
      try append(["end": .string(name), "error": FileErrorJSON.json(of: error)])
    }
  }

  /// Whether the file of that name is sound.
  func hasRead(_ name: String) -> Bool {
    guard case .read = outcomes.first(where: { $0.name == name })?.outcome else { return false }
    return true
  }

  /// Why a file is of no use; nil for one that was read, or never begun.
  func error(of name: String) -> FileError? {
    switch outcomes.first(where: { $0.name == name })?.outcome {
    case .failed(let error): error
    case .begun:
      FileError(
        .badContent, path: run + "/" + name,
        "expected a file of a run, found a damaged or unsafe HDF5 file: reading it crashes HDF5",
        remedy: "Restore the file from a copy")
    case .read, nil: nil
    }
  }

  private mutating func append(_ entry: JSONValue) throws(FileError) {
    try AppendedFile(path: path).append(entry.text() + "\n")
    take(entry)
  }

  private mutating func take(_ entry: JSONValue) {
    if let name = entry["begin"]?.string { outcomes.append((name, .begun)) }
    guard let name = entry["end"]?.string, let index = outcomes.firstIndex(where: { $0.name == name }) else { return }
    let error = entry["error"].flatMap(FileErrorJSON.error(in:))
    outcomes[index].outcome = error.map { .failed($0) } ?? .read
    if identity == nil { identity = entry["identity"].flatMap(RunIdentity.init(json:)) }
  }
}
