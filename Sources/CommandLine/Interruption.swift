import Foundation
import Synchronization

/// Turns the first Ctrl-C (or a termination request) into a wish to stop, so that files stay valid; a second one ends at once.
enum Interruption {
  private static let wished = Atomic(false)

  static var isWished: Bool { wished.load(ordering: .relaxed) }

  /// Sleeps in short pieces, so that an interruption ends it soon.
  static func wait(_ seconds: Double) {
    let end = Date().addingTimeInterval(seconds)
    while !isWished, Date() < end { usleep(UInt32(min(0.2, max(0.001, end.timeIntervalSinceNow)) * 1e6)) }
  }

  /// Begins to listen; call once.
  static func listen() {
    for number in [SIGINT, SIGTERM] {
      signal(number) { number in
        // Only what is safe inside a signal handler: an atomic store, and giving the signal its usual effect back.
        Interruption.wished.store(true, ordering: .relaxed)
        signal(number, SIG_DFL)
      }
    }
  }
}
