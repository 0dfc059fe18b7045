import Adapters
import Weights

/// What a run tells while it trains. An observer sees every update before the next completions are drawn from it.
package protocol TrainingObserver: AnyObject {
  /// Before the first step.
  func didStart(_ start: AdapterSnapshot) throws(FileError)

  /// Between an update and the next rollout: how the weights have just moved.
  func didUpdate(step: Int, velocity: UpdateVelocity) throws(FileError) -> TrainingDirective

  /// At the end of each step.
  func didFinish(_ record: TrainingRecord) throws(FileError)

  /// Just before every checkpoint: what going on from it needs.
  func willReachCheckpoint(_ state: TrainingState) throws(FileError)

  /// At every checkpoint, behind the step's record.
  func didReachCheckpoint(_ snapshot: AdapterSnapshot) throws(FileError)
}

/// What an observer wants of the run.
package enum TrainingDirective: Equatable, Sendable {
  case goOn
  /// End the run behind this step, with a checkpoint.
  case stop
}

extension TrainingObserver {
  package func didStart(_ start: AdapterSnapshot) throws(FileError) {}
  package func didUpdate(step: Int, velocity: UpdateVelocity) throws(FileError) -> TrainingDirective { .goOn }
  package func didFinish(_ record: TrainingRecord) throws(FileError) {}
  package func willReachCheckpoint(_ state: TrainingState) throws(FileError) {}
  package func didReachCheckpoint(_ snapshot: AdapterSnapshot) throws(FileError) {}
}
