import Foundation
import RunStore
import Synchronization

/// Brings alerts to one receiver, on a thread of its own: one that is slow, broken or gone holds up nobody else.
///
/// What fails is tried again, after one second and then ever later, up to a minute.
final class Courier: Sendable {
  private struct State {
    var isStopped = false
    /// Tries that failed in a row.
    var failures = 0
    /// No try before this.
    var next = Date.distantPast
    /// What went wrong, said once.
    var said: Set<String> = []
  }

  private let receiver: any AlertReceiver
  private let log: AlertLog
  private let source: String
  private let note: @Sendable (String) -> Void
  private let state = Mutex(State())

  /// - Parameter note: says what could not be done.
  init(_ receiver: any AlertReceiver, log: AlertLog, source: String, note: @escaping @Sendable (String) -> Void) {
    (self.receiver, self.log, self.source, self.note) = (receiver, log, source, note)
    Thread.detachNewThread { [self] in
      while !state.withLock({ $0.isStopped }) {
        tryNow()
        usleep(50_000)
      }
    }
  }

  private var hasWork: Bool { !log.pending(for: receiver.name).isEmpty }

  private func tryNow() {
    guard state.withLock({ $0.next <= Date() }) else { return }
    for alert in log.pending(for: receiver.name) {
      do {
        try receiver.receive(alert, source: source)
        try log.deliver(alert, to: receiver.name)
        state.withLock { $0.failures = 0 }
      } catch {
        return fail("\(error)")
      }
    }
  }

  private func fail(_ problem: String) {
    let isNew = state.withLock { state in
      state.failures += 1
      state.next = Date().addingTimeInterval(min(60, pow(2, Double(min(state.failures, 10) - 1))))
      return state.said.insert(problem).inserted
    }
    if isNew { note("\(receiver.name): \(problem); it is tried again") }
  }

  /// Waits until everything is delivered, but no longer than so many seconds; then ends.
  func finish(within seconds: Double) {
    let end = Date().addingTimeInterval(seconds)
    while hasWork, Date() < end { usleep(20_000) }
    state.withLock { $0.isStopped = true }
  }
}
