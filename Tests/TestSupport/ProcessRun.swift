import Foundation

/// What a finished process left behind.
package struct ProcessResult: Sendable {
  /// The exit code, or the number of the signal that ended the process.
  package let status: Int32
  package let stdout: String
  package let stderr: String
}

/// Runs an executable to its end. Both pipes are drained at the same time: a process that fills one of them while the
/// other is being read would otherwise wait for ever.
package func run(
  _ executable: String, _ arguments: [String] = [], environment: [String: String]? = nil, folder: String? = nil
) throws -> ProcessResult {
  let process = Process()
  process.executableURL = URL(fileURLWithPath: executable)
  process.arguments = arguments
  if let environment { process.environment = environment }
  if let folder { process.currentDirectoryURL = URL(fileURLWithPath: folder) }
  process.standardInput = FileHandle.nullDevice
  let output = Drain()
  let errors = Drain()
  process.standardOutput = output.pipe
  process.standardError = errors.pipe
  try process.run()
  output.start()
  errors.start()
  process.waitUntilExit()
  return ProcessResult(status: process.terminationStatus, stdout: output.text(), stderr: errors.text())
}

/// Reads a pipe to its end on a thread of its own.
///
/// `@unchecked Sendable`: `data` is written by that thread before it signals `isDone`, and read only after waiting for
/// the signal.
private final class Drain: @unchecked Sendable {
  let pipe = Pipe()
  private var data = Data()
  private let isDone = DispatchSemaphore(value: 0)

  func start() {
    Thread.detachNewThread { [self] in
      data = pipe.fileHandleForReading.readDataToEndOfFile()
      isDone.signal()
    }
  }

  func text() -> String {
    isDone.wait()
    return String(decoding: data, as: UTF8.self)
  }
}
