import Adapters
import LinearAlgebra
import Logging
import RunStore
import Weights

/// The program's own name and version, as files and `--version` say it.
package let programVersion = "0.1.0"

/// What a developer may want to follow; silent below the level that the program sets.
private let logger = Logger(label: "spectroscope.measurement")

extension MeasurementPlan {
  /// What there is to show while it runs.
  package struct Progress: Sendable {
    /// Pieces done, those of an earlier start included.
    package var done: Int
    /// Pieces that an earlier, interrupted start had done.
    package var resumed: Int
    package var total: Int

    package init(done: Int, resumed: Int, total: Int) {
      (self.done, self.resumed, self.total) = (done, resumed, total)
    }
  }

  /// How it ended.
  package struct Outcome: Sendable {
    package var analysis: Analysis
    /// Checkpoints and tensors that could not be used; the exit code is 65 where there are any.
    package var damaged: Int
    /// Modules of the adapters without a weight in the base; likewise.
    package var unmatched: Int
  }

  /// Thrown when `shouldStop` said so; the pieces so far are kept, and the same call goes on with them.
  package struct Interrupted: Error {
    package var progress: Progress
    package var journal: String
  }

  /// Measures every module at every checkpoint and writes the analysis file.
  ///
  /// The content does not depend on `jobs`, nor on interruptions.
  ///
  /// - Throws: `FileError`, or `Interrupted`.
  package func run(
    _ options: MeasurementOptions, shouldStop: @escaping @Sendable () -> Bool = { false },
    report: @escaping @Sendable (Progress) -> Void = { _ in }
  ) throws -> Outcome {
    let journal = try PieceJournal(output: options.output, identity: try identity())
    let results = try measure(modules, options, journal: journal, shouldStop: shouldStop, report: report)
    let outcome = try assemble(
      options, references: results, pieces: results.pieces, remarks: remarks, records: TrainerLog(options))
    try AnalysisFile.write(outcome.analysis, to: options.output)
    journal.remove()
    return outcome
  }

  /// Measures what the journal does not have of these modules, and adds it there.
  ///
  /// - Throws: `FileError`, or `Interrupted`.
  func measure(
    _ modules: [Module], _ options: MeasurementOptions, journal: PieceJournal,
    shouldStop: @escaping @Sendable () -> Bool,
    report: @escaping @Sendable (Progress) -> Void
  ) throws -> MeasurementResults {
    let total = modules.reduce(0) { $0 + $1.appearances.count }
    let results = MeasurementResults(resumed: journal.pieceCount, total: total, report: report)
    let norms = KeptNorms(options.basis)
    try forEachConcurrently(modules, workers: options.jobs, shouldStop: shouldStop) { module in
      try measure(module, options.basis, norms, journal: journal, results: results, shouldStop: shouldStop)
    }
    guard results.pieces.count == total else {
      throw Interrupted(progress: results.progress, journal: journal.path)
    }
    return results
  }

  /// Measures one module at all its checkpoints, but for the pieces that the journal has.
  private func measure(
    _ module: Module, _ folder: BasisFolder?, _ norms: KeptNorms, journal: PieceJournal, results: MeasurementResults,
    shouldStop: () -> Bool
  ) throws {
    let reference: ModuleReference
    do {
      reference = try ModuleReference(module, plan: self, folder: folder, norms: norms, journal: journal)
    } catch {
      let problem = Self.contentError(error)
      guard let problem else { throw error }
      // A base weight that cannot be used takes its module with it, and no other one.
      for piece in pieces(of: module, lostTo: problem) { results.add(piece) }
      return
    }
    results.add(reference, of: module.match.module)
    var measurement = ModuleMeasurement(plan: self, module: module, reference: reference)
    for index in module.appearances.indices {
      if shouldStop() { return }
      if let kept = journal.piece(key(of: module, index)) {
        logger.debug("kept", metadata: ["module": "\(kept.module)", "step": "\(kept.step)"])
        measurement.skip(index, kept)
        results.add(resumed: kept)
      } else {
        var piece = try measurement.measure(index)
        if let run { piece.remarks = piece.remarks.map { run.named($0) } }
        logger.debug(
          "measured", metadata: ["module": "\(piece.module)", "step": "\(piece.step)", "rows": "\(piece.rows.count)"])
        try journal.append(piece)
        results.add(piece)
      }
    }
  }

  private func key(of module: Module, _ index: Int) -> PieceJournal.PieceKey {
    PieceJournal.PieceKey(
      step: checkpoints[module.appearances[index].checkpoint].step, module: module.match.module)
  }

  /// Pieces without rows for a module whose base weight cannot be used; the first says why.
  private func pieces(of module: Module, lostTo error: FileError) -> [MeasurementPiece] {
    module.appearances.indices.map { index in
      let remark = AdapterRemark(.unusable(error), module: module.match.module, "\(error)")
      return MeasurementPiece(
        step: checkpoints[module.appearances[index].checkpoint].step, module: module.match.module, rows: [],
        remarks: index == 0 ? [remark] : [], isDamaged: index == 0)
    }
  }

  /// The error as one about the content of a file, where it is that; never inlined, as the cast in `ModuleMeasurement`.
  @inline(never)
  private static func contentError(_ error: any Error) -> FileError? {
    (error as? FileError).flatMap { $0.isAboutContent ? $0 : nil }
  }

  /// - Parameter remarks: what was noticed before values were read.
  func assemble(
    _ options: MeasurementOptions, references: MeasurementResults, pieces: [MeasurementPiece],
    remarks: [AdapterRemark], records log: TrainerLog
  ) throws(FileError) -> Outcome {
    AnalysisFrame(self, options, remarks: remarks, log: log).outcome(pieces: pieces, references: references.references)
  }
}

extension MeasurementPlan {
  /// Everything the pieces depend on: files by path, size and time, and options. Two plans with one identity give one result.
  func identity() throws(FileError) -> JSONValue {
    func described(_ file: PositionedFile) -> JSONValue {
      [
        .string(run?.named(file.path) ?? file.path), .integer(file.identity.size),
        .integer(file.identity.modificationTime),
      ]
    }
    func describedBase() throws(FileError) -> JSONValue {
      // Of a run's base the digest is known to be right, and the embedded one is a temporary file of each process.
      if let id = run?.identity.baseID, !id.isEmpty { return .string(id) }
      var files: [String: JSONValue] = [:]
      for module in modules {
        for name in try BaseTensor(base, module.match).tensorNames {
          let file = try base.file(holding: name).file
          files[file.path] = described(file)
        }
      }
      return .array(files.sorted { $0.key < $1.key }.map(\.value))
    }
    func described(_ adapter: AdapterFolder) throws(FileError) -> JSONValue {
      let configuration = try adapter.place.configurationFile.map { path throws(FileError) in
        try PositionedFile(path: path)
      }
      return .array((adapter.weights.files.map(\.file) + (configuration.map { [$0] } ?? [])).map(described))
    }
    let adapters = try checkpoints.map { checkpoint throws(FileError) -> JSONValue in
      [
        .integer(checkpoint.step), .string(checkpoint.method.rawValue), .bool(checkpoint.hasResidualBase),
        try described(checkpoint.adapter),
      ]
    }
    let start: JSONValue = if let initial { try described(initial) } else { .null }
    return [
      "pieces": 4, "version": .string(programVersion), "depth": .string(depth.rawValue),
      "directions": directions.map(JSONValue.integer) ?? .null, "method_given": .bool(isMethodGiven),
      "initial": start, "checkpoints": .array(adapters),
      "base": try describedBase(),
    ]
  }
}
