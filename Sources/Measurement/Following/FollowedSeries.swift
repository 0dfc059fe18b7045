import Adapters
import Diagnosis
import Foundation
import OrderedCollections
import RunStore
import Spectra
import Weights

/// A series of checkpoints that another trainer is still writing: each is measured once, when it is complete, and what was measured stays when its
/// folder vanishes.
///
/// The state folder has all of it: a journal with the pieces of every checkpoint, the analysis that they make, and under `kept` the files of the first
/// and the last checkpoint, which the next one is compared with. A kill at any moment costs at most the checkpoint that was being measured.
package final class FollowedSeries {
  /// What one look at the folder found.
  package struct Look: Sendable {
    /// The steps that were measured now.
    package var measured: [Int] = []
    /// Checkpoints that are not complete yet.
    package var waiting: [Int] = []
    /// The first step of those that the trainer has written anew, and which are therefore measured anew.
    package var rewrittenFrom: Int?
    /// The analysis of all checkpoints so far; nil as long as there is none.
    package var analysis: Analysis?
  }

  private let options: FollowOptions
  private let base: BaseModel
  private var journal: PieceJournal
  private var analysis: Analysis?
  /// False where the analysis may lack the last checkpoint of the journal, or have one that was forgotten: a kill came in between.
  private var isAnalysisCurrent: Bool

  /// Opens the state folder, or makes it.
  ///
  /// - Throws: `FileError` where the base cannot be read or the state cannot be written.
  package init(_ options: FollowOptions) throws(FileError) {
    self.options = options
    base = try BaseModel(path: options.measurement.base)
    try Self.makeState(options)
    journal = try PieceJournal(output: options.measurement.output, identity: Self.identity(options, base))
    analysis = try? AnalysisFile.read(from: options.measurement.output)
    let steps = journal.marks.map(\.step)
    isAnalysisCurrent = analysis.map { Self.agrees($0, steps) } ?? steps.isEmpty
  }

  /// Whether an analysis is that of the checkpoints with these steps, the last one included.
  private static func agrees(_ analysis: Analysis, _ steps: [Int]) -> Bool {
    let known = Set(analysis.rows.map(\.step) + analysis.noticed.compactMap(\.step))
    return known.isSubset(of: steps) && steps.max().map(known.contains) ?? true
  }

  /// Makes the state folder; throws `.cannotCreate`.
  package static func makeState(_ options: FollowOptions) throws(FileError) {
    do {
      try FileManager.default.createDirectory(
        atPath: options.measurement.source, withIntermediateDirectories: true)
    } catch {
      throw FileError(
        .cannotCreate, path: options.state, "the folder for the state cannot be made",
        remedy: "Name another one with --state")
    }
  }

  /// What every piece depends on, whichever checkpoints there are.
  private static func identity(_ options: FollowOptions, _ base: BaseModel) throws(FileError) -> JSONValue {
    var files: [JSONValue] = []
    for name in base.tensorNames {
      let file = try base.file(holding: name).file
      let described: JSONValue = [
        .string(file.path), .integer(file.identity.size), .integer(file.identity.modificationTime),
      ]
      if files.last != described, !files.contains(described) { files.append(described) }
    }
    let (method, initial) = (options.measurement.method?.rawValue, options.measurement.initial)
    return [
      "followed": 1, "version": .string(programVersion), "base": .array(files),
      "method": method.map(JSONValue.string) ?? .null, "initial": initial.map(JSONValue.string) ?? .null,
    ]
  }

  /// Looks at the folder, and measures what is new and complete.
  ///
  /// At depth `geometry` as soon as the base's spectral basis is there as a whole, until then at `update`. What was measured keeps its depth.
  ///
  /// - Parameter willForget: is told the first step of those that the trainer has written anew, before what was measured of them goes. After a kill in
  ///   between it is told again.
  /// - Throws: `FileError` where the state cannot be written, or the base not be read. A checkpoint that cannot be used becomes a finding.
  package func look(
    now: Date = Date(), willForget: (Int) throws -> Void = { _ in },
    shouldStop: @escaping @Sendable () -> Bool = { false }
  ) throws -> Look {
    var look = Look()
    let sighted = try sightedCheckpoints()
    if let first = firstRewritten(among: sighted) {
      try willForget(first)
      try forget(from: first)
      look.rewrittenFrom = first
    }
    let last = journal.marks.map(\.step).max() ?? -1
    try prepareKept(last, sighted)
    do {
      if !isAnalysisCurrent { try assembleAnew(shouldStop: shouldStop) }
      try measure(sighted, after: last, &look, now: now, shouldStop: shouldStop)
    } catch is MeasurementPlan.Interrupted {
      // What there is of the analysis may lack a checkpoint; the next start has it.
      return look
    }
    look.analysis = analysis
    return look
  }

  private func measure(
    _ sighted: [SightedCheckpoint], after last: Int, _ look: inout Look, now: Date,
    shouldStop: @escaping @Sendable () -> Bool
  ) throws {
    for checkpoint in sighted where checkpoint.step > last {
      guard checkpoint.isComplete(in: options.source, settling: options.settling, now: now) else {
        look.waiting.append(checkpoint.step)
        continue
      }
      // One that comes late would be compared with a later one: order is kept.
      guard look.waiting.isEmpty, !shouldStop() else { break }
      if try measure(checkpoint, shouldStop: shouldStop) { look.measured.append(checkpoint.step) }
    }
  }

  /// Those that are there now; one that vanishes while it is looked at is not.
  private func sightedCheckpoints() throws(FileError) -> [SightedCheckpoint] {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: options.source, isDirectory: &isFolder), isFolder.boolValue else {
      throw FileError(
        .cannotOpen, path: options.source, "expected the folder in which a trainer writes, found none",
        remedy: "Check the path")
    }
    // As long as there is no checkpoint there is no series.
    guard let series = try? CheckpointSeries(path: options.source) else { return [] }
    return series.checkpoints.filter(\.statesStep).compactMap { try? SightedCheckpoint($0, in: options.source) }
  }
}

// MARK: - What the trainer writes anew

extension FollowedSeries {
  /// The first step whose files are no longer those that were measured: a run that was resumed, or another one.
  private func firstRewritten(among sighted: [SightedCheckpoint]) -> Int? {
    let known = Dictionary(journal.marks.map { ($0.step, $0.fingerprint) }) { $1 }
    return sighted.first { checkpoint in
      checkpoint.opens && known[checkpoint.step].map { $0 != checkpoint.fingerprint } ?? false
    }?.step
  }

  private func forget(from step: Int) throws(FileError) {
    journal = try PieceJournal(
      output: options.measurement.output, identity: Self.identity(options, base), before: step)
    drop { $0 >= step }
    isAnalysisCurrent = false
  }

  /// Sees to it that the next checkpoint is compared with the last one that was measured, and with no other: a kill may have left more, and who takes away
  /// the journal less.
  private func prepareKept(_ last: Int, _ sighted: [SightedCheckpoint]) throws(FileError) {
    drop { $0 != 0 && $0 != last || $0 > last }
    guard last >= 0, !keptNames.contains(where: { Self.step(ofKept: $0) == last }) else { return }
    if let checkpoint = sighted.first(where: { $0.step == last && $0.opens }) {
      try checkpoint.keep(in: options.measurement.source)
    }
  }

  private var keptNames: [String] {
    (try? FileManager.default.contentsOfDirectory(atPath: options.measurement.source)) ?? []
  }
}

// MARK: - Measuring one checkpoint

extension FollowedSeries {
  /// Measures a checkpoint against the first and the last one; false where it vanished before it could be kept.
  private func measure(
    _ checkpoint: SightedCheckpoint, shouldStop: @escaping @Sendable () -> Bool
  ) throws -> Bool {
    do throws(FileError) {
      try checkpoint.keep(in: options.measurement.source)
    } catch {
      guard FileManager.default.fileExists(atPath: checkpoint.folder) else { return false }
      throw error
    }
    var measurement = options.measurement
    var plan: MeasurementPlan
    do throws(FileError) {
      plan = try MeasurementPlan(measurement)
      if try plan.hasBasis(in: measurement.basis) {
        measurement.depth = .geometry
        plan = try MeasurementPlan(measurement)
      }
    } catch {
      // Where nothing at all fits, as with another base, going on would look like health.
      guard error.isAboutContent, !journal.marks.isEmpty else {
        drop { $0 == checkpoint.step }
        throw error
      }
      try mark(checkpoint, [AdapterRemark(.damagedCheckpoint, step: checkpoint.step, "\(error)")])
      return true
    }
    let results = try plan.measure(
      plan.modules, measurement, journal: journal, shouldStop: shouldStop, report: { _ in })
    try mark(checkpoint, plan.remarks.filter { $0.step == checkpoint.step })
    try assemble(plan, measurement, results)
    drop { $0 != 0 && $0 != checkpoint.step }
    return true
  }

  private func mark(_ checkpoint: SightedCheckpoint, _ remarks: [AdapterRemark]) throws(FileError) {
    try journal.append(
      PieceJournal.Mark(step: checkpoint.step, fingerprint: checkpoint.fingerprint, remarks: remarks))
  }

  private func assemble(
    _ plan: MeasurementPlan, _ measurement: MeasurementOptions, _ results: MeasurementResults
  ) throws(FileError) {
    let steps = Set(journal.marks.map(\.step))
    let pieces = journal.pieces.filter { steps.contains($0.step) }
    let remarks = plan.remarks.filter { $0.step == nil } + journal.marks.flatMap(\.remarks)
    var named = measurement
    named.source = options.source
    let outcome = try plan.assemble(
      named, references: results, pieces: pieces, remarks: remarks, records: TrainerLog(named))
    analysis = outcome.analysis
    try AnalysisFile.write(outcome.analysis, to: measurement.output)
    isAnalysisCurrent = true
  }

  /// Makes the analysis of what the journal has. Where the last checkpoint is no longer there to go by, there is none until the next one.
  private func assembleAnew(shouldStop: @escaping @Sendable () -> Bool) throws {
    if !journal.marks.isEmpty, let plan = try? MeasurementPlan(options.measurement) {
      let results = try plan.measure(
        plan.modules, options.measurement, journal: journal, shouldStop: shouldStop, report: { _ in })
      return try assemble(plan, options.measurement, results)
    }
    analysis = nil
    try? FileManager.default.removeItem(atPath: options.measurement.output)
    isAnalysisCurrent = true
  }

  /// Lets go of kept checkpoints by their steps.
  private func drop(_ isUnneeded: (Int) -> Bool) {
    for name in keptNames where Self.step(ofKept: name).map(isUnneeded) ?? false {
      try? FileManager.default.removeItem(atPath: options.measurement.source + "/" + name)
    }
  }

  /// The step of a folder, or of one of MLX's numbered files.
  private static func step(ofKept name: String) -> Int? {
    CheckpointSeries.layout(ofFolderNamed: name)?.step ?? MLXFolder.step(ofFileNamed: name)
  }
}

extension MeasurementPlan {
  /// Whether every module has its spectral basis in the folder.
  fileprivate func hasBasis(in folder: BasisFolder?) throws(FileError) -> Bool {
    guard let folder else { return false }
    for module in modules where try !folder.hasFile(for: BaseTensor(base, module.match)) { return false }
    return true
  }
}
