import Foundation
import Weights

/// The names of the files in a run folder.
///
///     run.h5                   identity, configuration, the adapter at step 0, links to the checkpoints: see `RunIndex`
///     checkpoints/00000100.h5  the adapter at a step: see `RunCheckpoint`
///     resume/00000100.h5       what going on from a step needs: see `ResumeFile`; the last two, or all where a gate may go back
///     training.jsonl           one line a step, appended live: see `TrainingRecords`
///     policy.yaml              of the run's own gate, where it has one: see `RunPolicy`
///     interventions.jsonl      what the gate did about the run's own alarms, one line each: see `Intervention`
///     training.h5              the same as datasets, as it was at the last checkpoint: see `TrainingFile`
///     analysis.h5              see `AnalysisFile`
///     findings.json            the findings and the verdict, as `diagnose --json` prints them
package enum RunLayout {
  package static let index = "run.h5"
  package static let checkpoints = "checkpoints"
  package static let resume = "resume"
  package static let records = "training.jsonl"
  package static let policy = "policy.yaml"
  package static let interventions = "interventions.jsonl"
  package static let training = "training.h5"
  package static let analysis = "analysis.h5"
  package static let findings = "findings.json"

  /// The checkpoint at `step`, which is not negative, as a path in the run folder.
  package static func checkpoint(_ step: Int) -> String { checkpoints + "/" + fileName(step) }

  /// What going on from a step needs, as a path in the run folder.
  package static func resumeFile(_ step: Int) -> String { resume + "/" + fileName(step) }

  private static func fileName(_ step: Int) -> String {
    precondition(step >= 0, "a step is not negative")
    let digits = String(step)
    return String(repeating: "0", count: max(0, 8 - digits.count)) + digits + ".h5"
  }

  /// Makes a run folder, as far as it is not there; throws `.cannotCreate`.
  static func makeFolders(of run: String) throws(FileError) {
    do {
      try FileManager.default.createDirectory(
        atPath: run + "/" + checkpoints, withIntermediateDirectories: true)
    } catch {
      throw FileError(
        .cannotCreate, path: run, "the folder of the run cannot be created",
        remedy: "Check the path and its permissions")
    }
  }

  /// The steps of the checkpoints in a run folder, in ascending order; none where there is no folder of checkpoints.
  ///
  /// Throws `.cannotOpen` where that folder cannot be listed.
  package static func steps(in run: String) throws(FileError) -> [Int] { try steps(inFolder: run + "/" + checkpoints) }

  /// The steps of which a run folder holds what going on needs.
  static func resumeSteps(in run: String) throws(FileError) -> [Int] { try steps(inFolder: run + "/" + resume) }

  private static func steps(inFolder folder: String) throws(FileError) -> [Int] {
    guard FileManager.default.fileExists(atPath: folder) else { return [] }
    guard let names = try? FileManager.default.contentsOfDirectory(atPath: folder) else {
      throw FileError(.cannotOpen, path: folder, "the folder cannot be listed", remedy: "Check its permissions")
    }
    return names.compactMap(step(ofFileNamed:)).sorted()
  }

  /// The step that the name of a checkpoint's file says; nil for any other name, such as that of a file still being written.
  static func step(ofFileNamed name: String) -> Int? {
    guard name.hasSuffix(".h5"), name.utf8.dropLast(3).allSatisfy({ (48...57).contains($0) }),
      let step = Int(name.dropLast(3)), fileName(step) == name
    else { return nil }
    return step
  }

  /// The run folder that the file at `path` belongs to by its name and place; nil for any other file.
  package static func run(holding path: String) -> String? {
    let url = URL(fileURLWithPath: path)
    let (name, folder) = (url.lastPathComponent, url.deletingLastPathComponent())
    if [index, records, training].contains(name), RunFolder.isRun(at: folder.path) { return folder.path }
    guard step(ofFileNamed: name) != nil, folder.lastPathComponent == checkpoints else { return nil }
    return folder.deletingLastPathComponent().path
  }

  /// A folder's path without the slashes at its end, so that paths in it read well.
  static func withoutTrailingSlash(_ path: String) -> String {
    let end = path.lastIndex { $0 != "/" }
    return end.map { String(path[...$0]) } ?? path
  }
}
