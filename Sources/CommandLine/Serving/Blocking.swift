import Foundation
import Synchronization

/// Waits in a thread for what is done elsewhere.
enum Blocking {
  /// A value that comes later.
  final class Box<Value: Sendable>: Sendable {
    private let content = Mutex<Value?>(nil)

    var value: Value? { content.withLock { $0 } }

    func set(_ value: Value) { content.withLock { $0 = value } }
  }

  /// Runs asynchronous work to its end; not to be called from such work.
  static func wait<Value: Sendable>(_ work: @escaping @Sendable () async throws -> Value) throws -> Value {
    let (result, isDone) = (Box<Result<Value, any Error>>(), DispatchSemaphore(value: 0))
    Task.detached {
      do { result.set(.success(try await work())) } catch { result.set(.failure(error)) }
      isDone.signal()
    }
    isDone.wait()
    return try result.value!.get()
  }
}
