import Spectra
import Synchronization

/// What the workers have found so far, in the order they found it, and how far they are.
final class MeasurementResults: Sendable {
  private struct State {
    var references: [String: MeasuredReference] = [:]
    var pieces: [MeasurementPiece] = []
    var progress: MeasurementPlan.Progress
  }

  private let state: Mutex<State>
  private let report: @Sendable (MeasurementPlan.Progress) -> Void

  init(resumed: Int, total: Int, report: @escaping @Sendable (MeasurementPlan.Progress) -> Void) {
    let progress = MeasurementPlan.Progress(done: resumed, resumed: resumed, total: total)
    state = Mutex(State(progress: progress))
    self.report = report
    report(progress)
  }

  /// By module.
  var references: [String: MeasuredReference] { state.withLock { $0.references } }
  var pieces: [MeasurementPiece] { state.withLock { $0.pieces } }
  var progress: MeasurementPlan.Progress { state.withLock { $0.progress } }

  func add(_ reference: ModuleReference, of module: String) {
    let measured = MeasuredReference(norm: reference.norm, values: reference.geometry?.basis.values ?? [])
    state.withLock { $0.references[module] = measured }
  }

  /// Adds a piece that an earlier start had measured; it counts as done already.
  func add(resumed piece: MeasurementPiece) {
    state.withLock { $0.pieces.append(piece) }
  }

  /// Adds a new piece and reports the progress.
  func add(_ piece: MeasurementPiece) {
    let progress = state.withLock { state in
      state.pieces.append(piece)
      state.progress.done += 1
      return state.progress
    }
    report(progress)
  }
}
