import Adapters
import Weights

/// What a run tells while it trains. An observer sees every update before the next completions are drawn from it.
package protocol TrainingObserver: AnyObject {
  /// Whether it may refuse an update: only then is kept what taking one back needs.
  var mayRefuse: Bool { get }

  /// Before the first step: the adapter, and what going on from there needs.
  func didStart(_ start: AdapterSnapshot, state: TrainingState) throws(FileError)

  /// Between an update and the next rollout: what the step measured so far, which is all but accuracy, and how the
  /// weights have just moved, where that is measured.
  func didUpdate(_ record: TrainingRecord, velocity: UpdateVelocity?) throws(FileError) -> TrainingDirective

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
  /// Take this step's update back, where the observer `mayRefuse`: the next step begins at the weights before it.
  case refuse
  /// Take everything back behind a checkpoint of this run, and go on from there as the state says. The step that brought it about gets no record.
  case rollBack(TrainingState, AdapterSnapshot)
}

extension TrainingObserver {
  package var mayRefuse: Bool { false }
  package func didStart(_ start: AdapterSnapshot, state: TrainingState) throws(FileError) {}
  package func didUpdate(_ record: TrainingRecord, velocity: UpdateVelocity?) throws(FileError) -> TrainingDirective {
    .goOn
  }
  package func didFinish(_ record: TrainingRecord) throws(FileError) {}
  package func willReachCheckpoint(_ state: TrainingState) throws(FileError) {}
  package func didReachCheckpoint(_ snapshot: AdapterSnapshot) throws(FileError) {}
}
