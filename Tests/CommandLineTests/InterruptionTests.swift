import Foundation
import TestSupport
import Testing
import Weights

/// An analysis that is stopped on the way goes on where it was, and ends as if nothing had happened.
@Suite struct InterruptionTests {
  let bench = try! Bench()
  private static let checkpoints = 100
  private static let pieces = 14 * checkpoints

  /// A long series, made of copies of the LoRA run's checkpoints.
  private func series() throws -> String {
    let steps = [5, 10, 20]
    for index in 0..<Self.checkpoints {
      try bench.copy(
        "\(Reference.lora)/checkpoint-\(steps[index % 3])", as: "run/checkpoint-\(index + 1)")
    }
    return bench.path("run")
  }

  private func arguments(_ source: String, to output: String, jobs: Int) -> [String] {
    ["analyze", source, "--base", Reference.llama, "--out", output, "--jobs", String(jobs)]
  }

  private func uninterrupted(_ source: String) throws -> Data {
    let output = bench.path("uninterrupted.h5")
    try #require(
      try run(Program.path, arguments(source, to: output, jobs: 2), environment: Program.environment).status == 0)
    return try Data(contentsOf: URL(fileURLWithPath: output))
  }

  /// Starts an analysis, ends it with `signal` once pieces are in the journal, and returns its status and errors.
  private func interrupted(_ source: String, by signal: Int32) throws -> (status: Int32, stderr: String) {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: Program.path)
    process.arguments = arguments(source, to: bench.output, jobs: 1)
    process.environment = Program.environment
    let errors = bench.path("stderr")
    try bench.folder.write("stderr", "")
    process.standardError = FileHandle(forWritingAtPath: errors)
    process.standardOutput = FileHandle.nullDevice
    try runAcceptingSignals(process)
    let deadline = Date() + 20
    while process.isRunning, Date() < deadline, try journalSize() < 30_000 { usleep(500) }
    kill(process.processIdentifier, signal)
    process.waitUntilExit()
    return (process.terminationStatus, try String(contentsOfFile: errors, encoding: .utf8))
  }

  private func journalSize() throws -> Int {
    guard bench.exists(bench.journal) else { return 0 }
    return try FileManager.default.attributesOfItem(atPath: bench.journal)[.size] as? Int ?? 0
  }

  private func finish(_ source: String) throws -> Data {
    let result = try run(Program.path, arguments(source, to: bench.output, jobs: 2), environment: Program.environment)
    #expect(result.status == 0, "\(result.stderr)")
    #expect(!bench.exists(bench.journal))
    return try Data(contentsOf: URL(fileURLWithPath: bench.output))
  }

  /// Changes a number in every piece of the journal, so that a result tells whether the pieces were used.
  private func poisonJournal() throws {
    let text = try String(contentsOfFile: bench.journal, encoding: .utf8)
    let poisoned = text.replacing(/"spectral_norm":[0-9.e-]+/, with: "\"spectral_norm\":12345.5")
    try #require(poisoned != text)
    try Data(poisoned.utf8).write(to: URL(fileURLWithPath: bench.journal))
  }

  private func poisonedRows() throws -> Int {
    try bench.exportedRows().count { $0["spectral_norm"] == "12345.5" }
  }

  @Test(arguments: [SIGINT, SIGTERM])
  func aSignalKeepsThePieces(signal: Int32) throws {
    let source = try series()
    try bench.folder.write("out.h5", "an earlier analysis")
    let (status, stderr) = try interrupted(source, by: signal)
    #expect(status == 130)
    let message = try #require(
      stderr.firstMatch(of: /Interrupted: (\d+) of (\d+) pieces are done and kept in (.*)\. The same command goes on/))
    let done = try #require(Int(message.1))
    #expect(done > 0 && done < Self.pieces)
    #expect(message.2 == "\(Self.pieces)")
    #expect(String(message.3) == bench.journal)
    #expect(stderr.hasSuffix("from there.\n"))
    #expect(try String(contentsOfFile: bench.output, encoding: .utf8) == "an earlier analysis")
    #expect(try finish(source) == uninterrupted(source))
  }

  @Test func afterAKillATornLineIsLeftOut() throws {
    let source = try series()
    #expect(try interrupted(source, by: SIGKILL).status == SIGKILL)
    #expect(!bench.exists(bench.output))
    let handle = try #require(FileHandle(forWritingAtPath: bench.journal))
    try handle.seekToEnd()
    try handle.write(contentsOf: Data("{\"step\":7,\"module\":\"model.layers.0".utf8))
    try handle.close()
    #expect(try finish(source) == uninterrupted(source))
  }

  @Test func keptPiecesAreUsed() throws {
    let source = try series()
    #expect(try interrupted(source, by: SIGINT).status == 130)
    try poisonJournal()
    _ = try finish(source)
    #expect(try poisonedRows() > 0)
  }

  @Test(arguments: ["weights", "configuration", "method"])
  func piecesOfAnotherInputAreThrownAway(change: String) throws {
    let source = try series()
    #expect(try interrupted(source, by: SIGINT).status == 130)
    try poisonJournal()
    let adapter = Adapter(path: source + "/checkpoint-100")
    switch change {
    case "weights":
      try adapter.change(Adapter.tensor(Adapter.downProjection, "B")) { $0.bytes = $0.bytes.map { _ in 0 } }
    case "configuration": try adapter.replaceInConfiguration("\"lora_alpha\": 8", with: "\"lora_alpha\": 16")
    default: break
    }
    let options = change == "method" ? ["--method", "lora-fa"] : []
    let result = try run(
      Program.path, arguments(source, to: bench.output, jobs: 2) + options, environment: Program.environment)
    #expect(result.status == 0)
    #expect(!bench.exists(bench.journal))
    #expect(try poisonedRows() == 0)
  }
}

/// A process begins with the signal mask of the thread that starts it, and the threads that run tests block signals: a program that waits for
/// one, as `timeout` does for the end of its child, would wait for ever.
func runAcceptingSignals(_ process: Process) throws {
  var none = sigset_t()
  var earlier = sigset_t()
  sigemptyset(&none)
  pthread_sigmask(SIG_SETMASK, &none, &earlier)
  defer { pthread_sigmask(SIG_SETMASK, &earlier, nil) }
  try process.run()
}
