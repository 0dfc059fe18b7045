import Foundation
import OrderedCollections
import TestSupport
import Testing
import Weights

/// `train --resume` after `kill -9`, as a user meets it.
@Suite struct ResumeTests {
  private let folder = try! TemporaryFolder()

  private func arguments(_ out: String) -> [String] {
    [
      "train", "--out", out, "--method", "adalora", "--learning-rate", "0.01", "--steps", "40", "--checkpoint-every",
      "3",
      "--quiet",
    ]
  }

  private func train(_ out: String, _ others: String...) throws -> ProcessResult {
    try run(Program.path, arguments(out) + others, environment: Program.environment)
  }

  /// Starts the program and kills it after some time, if it has not ended by then.
  private func killed(_ out: String, after seconds: Double) throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: Program.path)
    process.arguments = arguments(out) + ["--resume"]
    process.environment = Program.environment
    process.standardError = FileHandle.nullDevice
    try process.run()
    Thread.sleep(forTimeInterval: seconds)
    kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
  }

  /// The records without times, and the digests of the checkpoints' tensors.
  private func content(_ out: String) throws -> [String] {
    let lines = try String(contentsOfFile: out + "/training.jsonl", encoding: .utf8).split(separator: "\n")
    let records = try lines.map { line in
      var object = try JSONValue(parsing: Array(line.utf8)).object!
      object["seconds"] = nil
      return JSONValue.object(object).text()
    }
    try #require(try spectroscope("analyze", out, "--depth", "update", "--quiet").status == 0)
    try #require(try spectroscope("export", out, "--format", "csv", "--out", out + "-csv", "--quiet").status == 0)
    return records + [try String(contentsOfFile: out + "-csv/modules.csv", encoding: .utf8)]
  }

  @Test func killedAgainAndAgainItEndsAsIfItNeverHadBeen() throws {
    try #require(try train(folder.path("whole")).status == 0)
    let out = folder.path("killed")
    var generator = SystemRandomNumberGenerator()
    for _ in 0..<6 { try killed(out, after: .random(in: 0.02...0.4, using: &generator)) }
    let last = try train(out, "--resume")
    #expect(last.status == 0 && last.stderr == "", "\(last.stderr)")
    #expect(try content(out) == content(folder.path("whole")))
  }

  @Test func resumeTakesTheRunAsItWasBegun() throws {
    let out = folder.path("run")
    try #require(
      try run(Program.path, ["train", "--out", out, "--steps", "2", "--quiet"], environment: Program.environment).status
        == 0)
    let same = try spectroscope("train", "--out", out, "--resume", "--steps", "2", "--quiet")
    #expect(same.status == 0 && same.stderr == "", "\(same.stderr)")
    let again = try spectroscope("train", "--out", out, "--resume")
    #expect(again.status == 0 && again.stderr == "\(out) holds the whole run already\n", "\(again.stderr)")
    // A run without what going on needs keeps what it has.
    try FileManager.default.removeItem(atPath: out + "/resume")
    try FileManager.default.removeItem(atPath: out + "/checkpoints/00000000.h5")
    #expect(try spectroscope("train", "--out", out, "--resume", "--quiet").status == 0)
    let other = try spectroscope("train", "--out", out, "--resume", "--learning-rate", "0.5")
    #expect(other.status == 64)
    #expect(
      other.stderr.hasPrefix(
        "Error: the run in \(out) was begun with another --learning-rate. Leave it out to go on with that run, or name a new "
          + "folder\n"), "\(other.stderr)")
  }

  @Test func aConfigurationFileSaysWhatTheCommandLineDoesNot() throws {
    let (out, file) = (folder.path("run"), folder.path("config.json"))
    try #"{"method": "dora", "learning-rate": 0.002, "steps": 9, "rank_pattern": {"q_proj": 2}}"#
      .write(toFile: file, atomically: true, encoding: .utf8)
    let result = try spectroscope("train", "--out", out, "--config", file, "--steps", "2", "--quiet")
    try #require(result.status == 0, "\(result.stderr)")
    let inspected = try spectroscope("inspect", out, "--json")
    #expect(inspected.stdout.contains("\"dora\""))
    let lines = try String(contentsOfFile: out + "/training.jsonl", encoding: .utf8).split(separator: "\n")
    #expect(lines.count == 3 && lines[2].contains("\"learning_rate\":0.002"))
  }

  @Test(arguments: [
    (#"{"methods": "dora"}"#, 65, "Unknown option '--methods'. Did you mean '--method'?"),
    (#"{"method": "loha"}"#, 65, "The value 'loha' is invalid for '--method <method>'"),
    (#"{"config": "x"}"#, 65, "--config cannot be given in the file itself"),
    (#"{"rank": 0}"#, 64, "--rank must be at least 1, found 0"),
    (
      #"{"rank": [[1]]}"#, 65,
      "expected a text, a number, true, false, or a list of texts or numbers, found another value"
    ),
    ("[]", 65, "expected a JSON object of options, found other text"),
    ("{", 65, "expected a JSON object of options, found other text"),
  ])
  func badConfigurationFilesAreNamed(text: String, status: Int, message: String) throws {
    let file = folder.path("config.json")
    try text.write(toFile: file, atomically: true, encoding: .utf8)
    let result = try spectroscope("train", "--out", folder.path("run"), "--config", file)
    #expect(Int(result.status) == status)
    #expect(result.stderr.contains(message), "\(result.stderr)")
    #expect(!FileManager.default.fileExists(atPath: folder.path("run")))
  }
}
