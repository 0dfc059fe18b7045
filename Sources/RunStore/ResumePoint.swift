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
  static func last(of folder: RunFolder, every interval: Int?, steps: Int?) throws(FileError) -> ResumePoint? {
    let initial = try folder.initial()
    let states = Set(try RunLayout.resumeSteps(in: folder.path))
    // A checkpoint comes behind its step's record: where that is lost, the step has to be done again.
    let recorded = (try? folder.records())?.records.last?.step ?? 0
    for step in folder.steps.reversed() where (1...max(1, recorded)).contains(step) && states.contains(step) {
      if let interval, step % interval != 0, step != steps { continue }
      guard let snapshot = try? folder.snapshot(at: step),
        let state = try? ResumeFile.read(from: folder.path + "/" + RunLayout.resumeFile(step), step: step)
      else { continue }
      return ResumePoint(snapshot: snapshot, state: state, initial: initial)
    }
    return nil
  }
}
