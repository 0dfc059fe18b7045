import LinearAlgebra
import Foundation
import Testing

/// The root folder of the repository, found from this file's own path.
package let repositoryRoot = URL(fileURLWithPath: #filePath)
  .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path

/// Whether tests that take longer than a few seconds were asked for (`SPECTROSCOPE_SLOW_TESTS` is set and not empty).
package let slowTestsEnabled = ProcessInfo.processInfo.environment["SPECTROSCOPE_SLOW_TESTS"]?.isEmpty == false

extension Tag {
  /// A test that takes longer than a few seconds; pair it with `.enabled(if: slowTestsEnabled)`.
  @Tag package static var slow: Self
}

/// Has BLAS use one thread in this process, as the program does: tests run beside one another, and threads that spin while they wait take
/// all the time there is. Ask for it where a suite begins.
package let oneBLASThread: Void = BLASLibrary.useOneThread()
