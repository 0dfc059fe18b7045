import FlyingSocks
import Foundation
import Reporting

/// A page's changes as server-sent events, for one reader: `page` with the version whenever it is another one, `status` with how the runs are going.
///
/// Events are made when the reader takes them: one that is slow holds nobody up, costs no memory, and gets the latest.
struct PageEvents: AsyncBufferedSequence {
  typealias Element = UInt8

  private let page: ServedPage

  init(_ page: ServedPage) { self.page = page }

  func makeAsyncIterator() -> Iterator { Iterator(page: page) }

  struct Iterator: AsyncBufferedIteratorProtocol {
    /// How often the page is looked at.
    private static let pause = Duration.milliseconds(200)
    /// Something is sent at least so often, so that a reader that has gone is noticed.
    private static let patience = Duration.seconds(15)

    fileprivate let page: ServedPage
    private var version: Int?
    private var status: String?
    private var pending: ArraySlice<UInt8> = []

    fileprivate init(page: ServedPage) { self.page = page }

    mutating func next() async throws -> UInt8? {
      try await nextBuffer(suggested: 1)?.first
    }

    mutating func nextBuffer(suggested count: Int) async throws -> ArraySlice<UInt8>? {
      if pending.isEmpty { pending = Array(try await event().utf8)[...] }
      defer { pending = pending.dropFirst(count) }
      return pending.prefix(count)
    }

    private mutating func event() async throws -> String {
      let end = ContinuousClock.now + Self.patience
      while ContinuousClock.now < end {
        let content = page.current
        if content.version != version {
          version = content.version
          return "event: page\ndata: \(content.version)\n\n"
        }
        if content.status != status {
          status = content.status
          return "event: status\ndata: \(content.status.onOneLine)\n\n"
        }
        try await Task.sleep(for: Self.pause)
      }
      return ": still there\n\n"
    }
  }
}
