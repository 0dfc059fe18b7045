import Foundation
import Synchronization

/// Turns the first Ctrl-C (or a termination request) into a wish to stop, so that files stay valid; a second one ends at once.
enum Interruption {
  private static let wished = Atomic(false)

  static var isWished: Bool { wished.load(ordering: .relaxed) }

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
