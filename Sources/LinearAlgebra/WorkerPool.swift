import Foundation
import Synchronization

/// Runs `body` on every item, `workers` at a time, each worker a thread of its own.
///
/// Numerical work blocks for long; on threads of its own it cannot starve Swift's cooperative pool, on which progress and
/// signals depend. Items are begun in their order. Once `body` throws or `shouldStop` says so, no further item is begun; the
/// first error is thrown after the running ones have ended.
package func forEachConcurrently<Item: Sendable>(
  _ items: [Item], workers: Int, shouldStop: @escaping @Sendable () -> Bool = { false },
  _ body: @escaping @Sendable (Item) throws -> Void
) throws {
  let state = Mutex((next: 0, error: (any Error)?.none))
  let group = DispatchGroup()
  for _ in 0..<max(1, min(workers, items.count)) {
    group.enter()
    let thread = Thread {
      defer { group.leave() }
      while let item = state.withLock({ state -> Item? in
        guard state.error == nil, state.next < items.count, !shouldStop() else { return nil }
        defer { state.next += 1 }
        return items[state.next]
      }) {
        do {
          try body(item)
        } catch {
          state.withLock { $0.error = $0.error ?? error }
        }
      }
    }
    // LAPACK keeps work arrays of its own on the stack; a secondary thread's default of 512 KiB is little for it.
    thread.stackSize = 8 << 20
    thread.start()
  }
  group.wait()
  if let error = state.withLock({ $0.error }) { throw error }
}
