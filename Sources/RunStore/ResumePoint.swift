import Adapters
import Foundation
import Training
import Weights

/// The checkpoint that a run goes on from.
package struct ResumePoint: Sendable {
  package var snapshot: AdapterSnapshot
  package var state: TrainingState
  /// The adapter at step 0.
  package var initial: AdapterSnapshot

  /// The last checkpoint of a run that is whole and has a state; nil where the run has to begin again.
  ///
  /// Those beside the schedule, which an interruption has left, do not count: what follows would differ from the run that never stopped.
  ///
  /// - Parameter beginsAgain: whether checkpoints may be lost that no state belongs to.
  /// - Throws: `.badContent` for a broken record, and for a run that would begin again though it has checkpoints of its schedule.
  static func last(
    of folder: RunFolder, every interval: Int?, steps: Int?, beginsAgain: Bool
  ) throws(FileError) -> ResumePoint? {
    let initial = try folder.initial()
    let states = Set(try RunLayout.resumeSteps(in: folder.path))
    // A checkpoint comes behind its step's record: where that is lost, the step has to be done again.
    let recorded = try folder.records().records.last?.step ?? 0
    let scheduled = folder.steps.filter { step in
      step > 0 && (interval.map { step % $0 == 0 } ?? true || step == steps)
    }
    for step in scheduled.reversed() where step <= recorded && states.contains(step) {
      guard let snapshot = try? folder.snapshot(at: step),
        let state = try? ResumeFile.read(from: folder.path + "/" + RunLayout.resumeFile(step), step: step)
      else { continue }
      return ResumePoint(snapshot: snapshot, state: state, initial: initial)
    }
    guard scheduled.isEmpty || beginsAgain else {
      throw FileError(
        .badContent, path: folder.path + "/" + RunLayout.resume,
        "expected the state of a checkpoint to go on from, found none that is sound",
        remedy: "Restore the folder from a copy, or begin the run again in another folder")
    }
    return nil
  }
}
