import Foundation
import Synchronization

/// The page as it is now, for any number of readers at once.
final class ServedPage: Sendable {
  /// What readers get; a reader that was slow gets the latest, and nothing in between.
  struct Content: Equatable, Sendable {
    var html: Data
    /// Grows with every change of `html`.
    var version = 0
    /// How the runs are going, in a line.
    var status = ""
  }

  private let content: Mutex<Content>

  init(_ html: String) { content = Mutex(Content(html: Data(html.utf8))) }

  var current: Content { content.withLock { $0 } }

  func show(_ html: String) {
    let html = Data(html.utf8)
    content.withLock { content in
      guard content.html != html else { return }
      content.html = html
      content.version += 1
    }
  }

  func say(_ status: String) { content.withLock { $0.status = status } }
}
