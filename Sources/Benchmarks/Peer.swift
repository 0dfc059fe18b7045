import Foundation
import Weights

/// A Python process that does the same work, one repetition whenever it is asked.
final class Peer {
  private let process = Process()
  private let input = Pipe()
  private let output = Pipe()
  private var unread: [UInt8] = []

  /// The folder of the peers' scripts.
  static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().path + "/peers"

  /// Starts the peer and waits until it is ready.
  ///
  /// - Throws: `BenchmarkError` where Python or one of its packages is missing.
  init(python: String, script: String, arguments: [String], threads: Int) throws(BenchmarkError) {
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = [python, Self.folder + "/" + script] + arguments + ["--threads", String(threads)]
    let limits = ["OMP_NUM_THREADS": String(threads), "HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error"]
    process.environment = ProcessInfo.processInfo.environment.merging(limits) { $1 }
    process.standardInput = input
    process.standardOutput = output
    do {
      try process.run()
      _ = try answer()
    } catch {
      throw BenchmarkError(
        "the peer \(script) did not start with \(python). It needs: pip install torch transformers peft trl "
          + "(and --python names the interpreter that has them)")
    }
  }

  /// Runs one repetition; returns its seconds, as the peer measured them, and what else it says.
  func run() throws(BenchmarkError) -> (seconds: Double, report: JSONValue) {
    input.fileHandleForWriting.write(Data("\n".utf8))
    let report = try answer()
    guard let seconds = report["seconds"]?.double else {
      throw BenchmarkError("the peer gave no seconds: \(report.text())")
    }
    return (seconds, report)
  }

  /// Ends the peer.
  func stop() {
    input.fileHandleForWriting.closeFile()
    process.waitUntilExit()
  }

  /// The next line of the peer's output, as JSON.
  private func answer() throws(BenchmarkError) -> JSONValue {
    while true {
      if let end = unread.firstIndex(of: UInt8(ascii: "\n")) {
        defer { unread.removeFirst(end + 1) }
        do {
          return try JSONValue(parsing: Array(unread[..<end]))
        } catch {
          throw BenchmarkError("the peer wrote no JSON: \(String(decoding: unread[..<end], as: UTF8.self))")
        }
      }
      let more = output.fileHandleForReading.availableData
      guard !more.isEmpty else { throw BenchmarkError("the peer ended") }
      unread += more
    }
  }
}

/// Why a benchmark cannot be run.
struct BenchmarkError: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}
