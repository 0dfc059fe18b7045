import Diagnosis
import Foundation
import TestSupport
import Testing
import Weights

/// `corpus` as a user meets it, with a corpus of a few runs of a few steps.
@Suite struct CorpusTests {
  private let folder = try! TemporaryFolder()

  private func write(_ text: String) throws -> String {
    let path = folder.path("corpus.json")
    try text.write(toFile: path, atomically: true, encoding: .utf8)
    return path
  }

  private var small: String {
    """
    {
      "bases": {"tiny": {"hidden-size": 16, "intermediate-size": 16, "heads": 2, "key-value-heads": 1, "layers": 1, "steps": 2, "batch-size": 4}},
      "grids": {
        "own": {"half": "calibration", "methods": ["lora"], "learning-rates": [1e-5, 1e-3], "seeds": [0, 1], "steps": 6, "prompts": 4},
        "other": {"half": "test", "base": "tiny", "methods": ["lora"], "learning-rates": [1e-3], "seeds": [7], "steps": 6, "prompts": 4},
        "wild": {"half": "test", "methods": ["lora"], "learning-rates": [0.3], "seeds": [8], "steps": 6, "prompts": 4}
      }
    }
    """
  }

  @Test func fromRunsToBoundsToThePage() throws {
    let (file, out) = (
      try write(small), folder.path("out")
    )
    let made = try spectroscope("corpus", "make", file, "--out", out, "--quiet")
    #expect(made.status == 0 && made.stdout == "" && made.stderr == "", "\(made.stderr)")
    let finished = "\(out)/runs/own/lora-lr0.001-seed1"
    // Of the checkpoints the last is kept, and every spacing has its analysis.
    #expect(try FileManager.default.contentsOfDirectory(atPath: finished + "/checkpoints") == ["00000006.h5"])
    for spacing in [1, 5, 10, 20] {
      #expect(FileManager.default.fileExists(atPath: "\(finished)/analysis-\(spacing).h5"))
    }
    // What is finished is kept.
    let before =
      try FileManager.default.attributesOfItem(atPath: finished + "/training.jsonl")[.modificationDate] as? Date
    #expect(try spectroscope("corpus", "make", file, "--out", out, "--quiet").status == 0)
    #expect(
      try FileManager.default.attributesOfItem(atPath: finished + "/training.jsonl")[.modificationDate] as? Date
        == before)

    let tables = folder.path("tables")
    try FileManager.default.createDirectory(atPath: tables, withIntermediateDirectories: true)
    let calibrated = try spectroscope(
      "corpus", "calibrate", file, "--runs", out, "--swift", folder.path("Bounds.swift"), "--table",
      tables + "/calibration.csv", "--quiet")
    try #require(calibrated.status == 0, "\(calibrated.stderr)")
    let swift = try String(contentsOfFile: folder.path("Bounds.swift"), encoding: .utf8)
    #expect(swift.hasPrefix("// Made by `spectroscope corpus calibrate` from the calibration half of corpus.json.\n"))
    #expect(swift.contains("\n        \"lora\": Method(\n") && swift.contains("healthyRuns: 4, collapsedRuns: 0"))

    let score = [
      "corpus", "score", file, "--runs", out, "--calibration", tables + "/calibration.csv", "--out", tables, "--quiet",
    ]
    let scored = try run(Program.path, score, environment: Program.environment)
    try #require(scored.status == 0, "\(scored.stderr)")
    // What is looked at twice is no test any more.
    let again = try run(Program.path, score, environment: Program.environment)
    #expect(
      again.status == 73 && again.stderr.contains("the test half has been scored with this version of the detectors"))

    let marks = [
      "corpus", "targets", "verdict", "signals", "rules", "areas", "p-values", "causes", "remedies", "gates",
    ]
    let page = tables + "/README.md"
    try "# Page\n".write(toFile: page, atomically: true, encoding: .utf8)
    #expect(try spectroscope("corpus", "page", tables).status == 65)
    try marks.map { "<!-- \($0) -->\n<!-- end -->\n" }.joined().write(toFile: page, atomically: true, encoding: .utf8)
    let written = try spectroscope("corpus", "page", tables)
    try #require(written.status == 0, "\(written.stderr)")
    let text = try String(contentsOfFile: page, encoding: .utf8)
    #expect(text.contains("| calibration | embedded | two-step-arithmetic | 4 | 0 | 0 | 0 | 4 | 0 | 0 |\n"))
    #expect(try String(contentsOfFile: tables + "/roc.svg", encoding: .utf8).hasPrefix("<svg "))

    // The run that collapsed is trained again under each gate; the one that learned nothing is not.
    let gate = try spectroscope("corpus", "gate", file, "--runs", out, "--tables", tables, "--quiet")
    try #require(gate.status == 0 && gate.stderr == "", "\(gate.stderr)")
    let gated = try CSVTable(path: tables + "/gated-v\(DetectorVersion.current).csv").rows
    #expect(gated.map { $0["gate"] } == ["verdict", "verdict-third", "reward-drop", "kl-level"])
    #expect(gated.allSatisfy { $0["run"] == "wild/lora-lr0.3-seed8" })
    #expect(gated[0]["interventions"] == "1" && Double(gated[0]["final_accuracy"]!)! > 0.3)
    #expect(try spectroscope("corpus", "page", tables).status == 0)
    #expect(try String(contentsOfFile: page, encoding: .utf8).contains("| verdict | – | 1 of 1 |"))
  }

  private func run(_ program: String, _ arguments: [String], environment: [String: String]) throws -> ProcessResult {
    try TestSupport.run(program, arguments, environment: environment)
  }

  @Test func help() throws {
    for result in [try spectroscope("corpus", "--help"), try spectroscope("help", "corpus")] {
      #expect(result.stdout == HelpText.corpus + "\n" && result.stderr == "" && result.status == 0)
    }
  }

  @Test(arguments: [
    ("make", "<file> [--jobs <n>] [--quiet] --out <dir>"),
    ("calibrate", "<file> [--jobs <n>] [--quiet] --runs <dir> --swift <file> --table <file>"),
    ("score", "<file> [--jobs <n>] [--quiet] --runs <dir> --calibration <file> --out <dir>"),
    ("gate", "<file> [--jobs <n>] [--quiet] --runs <dir> --tables <dir>"), ("page", "<dir>"),
  ])
  func usage(_ name: String, _ usage: String) throws {
    #expect(
      try spectroscope("corpus", name, "--help").stdout.contains("\nUSAGE: spectroscope corpus \(name) \(usage)\n"))
    let result = try spectroscope("corpus", name)
    #expect(result.status == 64 && result.stderr.hasPrefix("Error: Missing expected argument"))
  }

  @Test(arguments: [
    ("[]", "expected a JSON object of options"), ("{\"bases\": {}}", "expected the members bases and grids"),
    ("{\"bases\": {}, \"grids\": {\"a\": {\"half\": \"calibration\", \"metods\": []}}}", "metods"),
  ])
  func whatIsNoCorpusIsRefused(_ text: String, _ problem: String) throws {
    let result = try spectroscope("corpus", "make", write(text), "--out", folder.path("out"), "--quiet")
    #expect(result.status == 65 && result.stderr.contains(problem), "\(result.stderr)")
  }

  @Test func aHalfIsSaidAndARunIsThere() throws {
    let file = try write("{\"bases\": {}, \"grids\": {\"a\": {\"methods\": [\"lora\"]}}}")
    let options = ["--runs", folder.path("out"), "--swift", folder.path("a"), "--table", folder.path("b"), "--quiet"]
    let none = try run(Program.path, ["corpus", "calibrate", file] + options, environment: Program.environment)
    #expect(
      none.status == 65 && none.stderr.contains("expected the member half with calibration or test"), "\(none.stderr)")
    let other = try write(small)
    let missing = try run(Program.path, ["corpus", "calibrate", other] + options, environment: Program.environment)
    #expect(
      missing.status == 66 && missing.stderr.contains("Finish it with `spectroscope corpus make`"), "\(missing.stderr)")
  }
}
