import Foundation
import OrderedCollections
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
    process.environment = Self.environment(threads: threads)
    process.standardInput = input
    process.standardOutput = output
    do {
      try process.run()
      _ = try answer()
    } catch {
      throw BenchmarkError(
        "the peer \(script) \(arguments.first ?? "") did not start with \(python). It needs: pip install torch "
          + "transformers peft trl (and --python names the interpreter that has them)")
    }
  }

  /// The environment of this process without what is meant for its own, older OpenBLAS: it slows the newer ones of the peers down.
  private static func environment(threads: Int) -> [String: String] {
    var environment = ProcessInfo.processInfo.environment
    for name in ["OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"] { environment[name] = nil }
    let limits = ["OMP_NUM_THREADS": String(threads), "HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error"]
    return environment.merging(limits) { $1 }
  }

  /// Runs one repetition; returns its seconds, as the peer measured them, and what else it says.
  func run(_ clock: Clock) throws(BenchmarkError) -> Sample {
    input.fileHandleForWriting.write(Data("\n".utf8))
    guard case .object(var report) = try answer() else { throw BenchmarkError("the peer gave no object") }
    let wall = report.removeValue(forKey: "seconds")?.double
    let processor = report.removeValue(forKey: "processor_seconds")?.double
    guard let seconds = clock == .wall ? wall : processor else {
      throw BenchmarkError("the peer gave no seconds of the \(clock.rawValue)")
    }
    return Sample(value: seconds, said: report.map { "\($0.key) \($0.value.text())" }.joined(separator: ", "))
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

  /// The versions of Python and of the peers' packages; what is not installed is left out.
  static func versions(python: String) throws(BenchmarkError) -> String {
    let script = """
      import importlib.metadata as m, platform
      names = "numpy torch transformers peft trl weightwatcher scipy".split()
      found = {d.metadata["Name"].lower(): d.version for d in m.distributions() if d.metadata["Name"]}
      print(", ".join(["Python " + platform.python_version()] + [f"{n} {found[n]}" for n in names if n in found]))
      """
    let process = try MeasuredProcess("/usr/bin/env", [python, "-c", script])
    guard process.status == 0 else {
      throw BenchmarkError(
        "\(python): expected a Python interpreter for the peers, found: "
          + process.standardError.trimmingCharacters(in: .whitespacesAndNewlines) + ". --python names one that has them"
      )
    }
    return process.standardOutput.trimmingCharacters(in: .whitespacesAndNewlines)
  }
}
