import Foundation
import TestSupport

/// A process that runs beside a test. Whatever the test does it ends with it, and nothing waits for it without a bound.
final class Child {
  private let process = Process()
  private let outputPath: String

  /// - Parameter output: the file that gets what it prints and says.
  init(
    _ executable: String, _ arguments: [String], output: String, environment: [String: String] = Program.environment
  ) throws {
    outputPath = output
    process.executableURL = URL(fileURLWithPath: executable)
    process.arguments = arguments
    process.environment = environment
    if !FileManager.default.fileExists(atPath: output) { try Data().write(to: URL(fileURLWithPath: output)) }
    let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: output))
    try handle.seekToEnd()
    process.standardInput = FileHandle.nullDevice
    (process.standardOutput, process.standardError) = (handle, handle)
    try runAcceptingSignals(process)
    try handle.close()
  }

  deinit { end() }

  var id: pid_t { process.processIdentifier }
  var isRunning: Bool { process.isRunning }

  /// What it and its predecessors with the same file have printed.
  var output: String { (try? String(contentsOfFile: outputPath, encoding: .utf8)) ?? "" }

  func send(_ signal: Int32) { if process.isRunning { kill(id, signal) } }

  /// Its exit code, or the number of the signal that ended it; nil where it goes on for longer than so many seconds.
  func status(within seconds: Double) -> Int32? {
    wait(seconds) { !process.isRunning } ? process.terminationStatus : nil
  }

  /// Ends it: by a request that it passes on to its own children, then by force.
  func end() {
    send(SIGTERM)
    if status(within: 5) == nil { killNow() }
  }

  /// `kill -9`.
  func killNow() {
    send(SIGKILL)
    _ = status(within: 10)
  }
}

/// Waits until something is so, but no longer than so many seconds; whether it is.
@discardableResult
func wait(_ seconds: Double, until isSo: () throws -> Bool) rethrows -> Bool {
  let end = Date() + seconds
  while try !isSo() {
    guard Date() < end else { return false }
    usleep(5_000)
  }
  return true
}
