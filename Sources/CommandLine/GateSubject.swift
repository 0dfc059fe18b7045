import Adapters
import ArgumentParser
import Diagnosis
import Foundation
import Measurement
import RunStore
import Spectra
import Weights

/// What the gate judges: an analysis that there is, or one that is made for it in a temporary folder.
struct GateSubject {
  let path: String
  let base: String?
  let initial: String?
  let method: AdapterMethod?
  /// How deep it is measured where it has to be.
  var depth = MeasurementDepth.update
  /// Says something beside the results.
  let note: (String) -> Void
  let progress: ProgressLine?

  /// Thrown where something has to be analysed first, and nothing says which base it belongs to.
  struct MissingBase: Error {
    let state: String
  }

  /// - Throws: `FileError` where there is nothing to judge or it cannot be read, `MissingBase`.
  func analysis() throws -> Analysis {
    guard FileManager.default.fileExists(atPath: path) else {
      throw FileError(.cannotOpen, path: path, "no such file or folder")
    }
    let run = try RunLocation.folder(of: path)
    let found = try present(in: run)
    let newer = try found.flatMap { found throws(FileError) in try newerCheckpoint(than: found, in: run) }
    if let found, newer == nil { return found }
    let state = newer.map { "the analysis of \(path) ends before checkpoint \($0)" } ?? "\(path) is not analysed yet"
    guard run != nil || base != nil else { throw MissingBase(state: state) }
    note("\(state): it is analysed\(newer == nil ? "" : " anew"), at depth \(depth.rawValue)")
    return try measured(isRun: run != nil)
  }

  /// What rules see of it, with the log of the run as it is now; an analysis that was copied elsewhere has the one that it was made with.
  func evidence(of analysis: Analysis) throws(FileError) -> RunEvidence {
    RunEvidence(analysis, records: try AnalysedRun.records(at: path))
  }

  /// The analysis that is there: the file itself, or the one in a folder; nil where there is none.
  private func present(in run: String?) throws(FileError) -> Analysis? {
    guard run != nil || isFolder else { return try GuardedReading.analysis(at: path) }
    let file = (run ?? path) + "/" + RunLayout.analysis
    return FileManager.default.fileExists(atPath: file) ? try GuardedReading.analysis(at: file) : nil
  }

  private var isFolder: Bool {
    var isFolder: ObjCBool = false
    return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) && isFolder.boolValue
  }

  /// The last checkpoint, where the analysis does not know it.
  private func newerCheckpoint(than analysis: Analysis, in run: String?) throws(FileError) -> Int? {
    let last = if let run { try RunLayout.steps(in: run).last } else { lastCheckpointOfSeries }
    return last.flatMap { $0 > analysis.lastKnownStep ? $0 : nil }
  }

  /// The last step of a folder of another trainer; nil for a file, and where there are no checkpoints beside the analysis.
  private var lastCheckpointOfSeries: Int? {
    guard isFolder, let series = try? CheckpointSeries(path: path) else { return nil }
    return series.checkpoints.last { $0.statesStep }?.step
  }
}

// MARK: - Measuring

extension GateSubject {
  private func measured(isRun: Bool) throws -> Analysis {
    let folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("spectroscope-gate-\(UUID().uuidString)").path
    do {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    } catch {
      throw FileError(
        .cannotCreate, path: folder, "the folder for the analysis cannot be created",
        remedy: "Point TMPDIR to a folder that may be written to")
    }
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let output = folder + "/" + RunLayout.analysis
    return try measured(isRun ? optionsOfRun(output) : optionsOfSeries(output))
  }

  private func optionsOfRun(_ output: String) throws(FileError) -> MeasurementOptions {
    let run = try GuardedReading.run(at: path)
    let folder = if let base { base } else { try BaseLocation.folder(for: run.identity.base) }
    return try MeasurementOptions(
      run: run, base: folder, initial: initial, method: method, depth: depth, jobs: Analyze.availableCores,
      output: output)
  }

  private func optionsOfSeries(_ output: String) -> MeasurementOptions {
    return MeasurementOptions(
      source: path, base: base!, initial: initial, method: method, depth: depth, jobs: Analyze.availableCores,
      output: output)
  }

  private func measured(_ options: MeasurementOptions) throws -> Analysis {
    let plan = try MeasurementPlan(options)
    let progress = progress
    Interruption.listen()
    defer { progress?.clear() }
    do {
      let outcome = try plan.run(options, shouldStop: { Interruption.isWished }) { progress?.show($0) }
      noteLeftOut(damaged: outcome.damaged, unmatched: plan.unmatchedModuleCount)
      return outcome.analysis
    } catch is MeasurementPlan.Interrupted {
      progress?.clear()
      note("Interrupted: nothing is kept. `spectroscope analyze` can be interrupted and goes on where it was.")
      throw ExitCode(128 + SIGINT)
    }
  }

  /// What could not be analysed is among the findings, which the policy judges like others.
  private func noteLeftOut(damaged: Int, unmatched: Int) {
    guard damaged + unmatched > 0 else { return }
    note(
      "left out: \(damaged) damaged checkpoint\(damaged == 1 ? "" : "s") or tensor\(damaged == 1 ? "" : "s"), "
        + "\(unmatched) module\(unmatched == 1 ? "" : "s") without a weight in the base (see the findings)")
  }
}
