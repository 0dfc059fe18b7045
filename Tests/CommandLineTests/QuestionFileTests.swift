import Foundation
import OrderedCollections
import TestSupport
import Testing
import Weights

/// `train` and `pretrain` on a file of questions, as a user meets them.
@Suite struct QuestionFileTests {
  let folder = try! TemporaryFolder()

  private static let sums = (10..<60).map { #"{"question": "\#($0)+7=", "answer": "\#($0 + 7)", "metadata": {}}"# }

  private func file(_ lines: [String]) throws -> String {
    try folder.write("questions.jsonl", lines.map { $0 + "\n" }.joined())
  }

  private func train(_ arguments: String...) throws -> ProcessResult {
    let options = ["train", "--out", folder.path("run"), "--steps", "1", "--prompts", "2", "--group-size", "2"]
    return try run(Program.path, options + arguments, environment: Program.environment)
  }

  @Test func aFileIsLearnedAndTrainedOn() throws {
    let questions = try file(Self.sums)
    let base = folder.path("base")
    let made = try spectroscope(
      "pretrain", "--task", questions, "--verifier", "integer", "--out", base, "--steps", "20", "--batch-size", "16",
      "--hidden-size", "16", "--heads", "2", "--key-value-heads", "1", "--intermediate-size", "24", "--layers", "1")
    #expect(made.status == 0, "\(made.stderr)")
    #expect(made.stderr.contains("accuracy ") && made.stderr.contains("retention –"))
    let tokenizer = try JSONValue(contentsOf: base + "/tokenizer.json")
    #expect(tokenizer["model"]?["vocab"]?.object?.keys.joined() == "_+0123456789=;")
    // By a path that is not the shortest; what is recorded is.
    let result = try train(
      "--base", base, "--task", folder.path + "/./questions.jsonl", "--verifier", "numeric", "--tolerance", "0.5",
      "--test-share", "0.4")
    #expect(result.status == 0, "\(result.stderr)")
    let inspection = try spectroscope("inspect", folder.path("run"))
    #expect(inspection.status == 0 && inspection.stdout.contains("questions.jsonl"), "\(inspection.stdout)")
    #expect(try spectroscope("analyze", folder.path("run"), "--quiet").status == 0)
  }

  @Test func theEmbeddedBaseReadsWhatItsVocabularyHolds() throws {
    let result = try train("--task", try file(Self.sums), "--verifier", "integer")
    #expect(result.status == 0, "\(result.stderr)")
    let records = try String(contentsOfFile: folder.path("run") + "/training.jsonl", encoding: .utf8)
    // The string tasks go on being measured.
    #expect(records.contains(#""accuracy":"#) && records.contains(#""retention":"#))
  }

  @Test(arguments: [
    ("{", "line 51: expected a JSON object, found other text: "),
    (#"{"question": "1+1="}"#, "line 51: expected an answer, found none. Mend the line, or take it out\n"),
    (
      #"{"question": "10+7=", "answer": "18"}"#,
      #"line 51: expected the answer "17", which line 1 gives to the same question, found "18". Take one of the two lines out"#
        + "\n"
    ),
    (
      #"{"question": "1 + 1 =", "answer": "2"}"#,
      #"line 51: expected a question of the base's characters "_0123456789+-*=>;:RSCabcdefgh", found " " at position 1 of "1 + 1 =". "#
        + "Take the line out, or make a base for this file: spectroscope pretrain --task "
    ),
    (
      #"{"question": "\#(String(repeating: "1", count: 255))", "answer": "2"}"#,
      "line 51: expected at most 256 tokens, for which the base is made, found 257 in question, answer and end. "
    ),
  ])
  func whatIsWrongWithALineIsNamed(line: String, message: String) throws {
    let path = try file(Self.sums + [line])
    let result = try train("--task", path)
    #expect(result.status == 65)
    #expect(result.stderr.hasPrefix("Error: \(path): \(message)"), "\(result.stderr)")
    #expect(!FileManager.default.fileExists(atPath: folder.path("run")))
  }

  @Test func aFileThatCannotServeIsRefused() throws {
    let empty = try train("--task", try file([]))
    #expect(empty.status == 65)
    #expect(empty.stderr.contains("expected at least two questions"), "\(empty.stderr)")
    for command in ["train", "pretrain"] {
      let missing = try spectroscope(command, "--task", folder.path("none.jsonl"), "--out", folder.path("out"))
      #expect(missing.status == 66)
      #expect(missing.stderr.contains(folder.path("none.jsonl")), "\(missing.stderr)")
    }
  }

  @Test(arguments: [
    (["--verifier", "integer"], "--verifier goes with a file of questions as --task alone"),
    (["--tolerance", "0.1"], "--tolerance goes with a file of questions as --task alone"),
    (["--test-share", "0.1"], "--test-share goes with a file of questions as --task alone"),
    (["--task", "a.jsonl", "--tolerance", "0.1"], "--tolerance goes with --verifier numeric or boxed alone"),
    (
      ["--task", "a.jsonl", "--verifier", "numeric", "--tolerance=-1"],
      "--tolerance must be 0 or a positive number, found -1.0"
    ),
    (["--task", "a.jsonl", "--test-share", "0"], "--test-share must lie between 0 and 1, found 0.0"),
    (["--task", "a.jsonl", "--test-share", "1"], "--test-share must lie between 0 and 1, found 1.0"),
    (["--task", "a.jsonl", "--test-share", "nan"], "--test-share must lie between 0 and 1, found nan"),
  ])
  func wrongValues(arguments: [String], message: String) throws {
    let usages = ["train": TrainingHelpText.trainUsage, "pretrain": TrainingHelpText.pretrainUsage]
    for (command, usage) in usages {
      let result = try run(
        Program.path, [command, "--out", folder.path("out")] + arguments, environment: Program.environment)
      #expect(result.status == 64)
      #expect(
        result.stderr
          == "Error: \(message)\nUsage: \(usage)\n  See 'spectroscope \(command) --help' for more information.\n")
    }
  }

  @Test func anUnknownTaskIsWrongUsage() throws {
    for name in ["counting:4", "two-step-arithmetic:1", "questions.json", ""] {
      let result = try train("--task", name)
      #expect(result.status == 64)
      #expect(result.stderr.contains("The value '\(name)' is invalid for '--task <task>'"), "\(result.stderr)")
    }
  }

  @Test func levelsAreTrained() throws {
    let result = try train("--task", "counting:1", "--quiet")
    #expect(result.status == 0, "\(result.stderr)")
    #expect(try spectroscope("inspect", folder.path("run")).stdout.contains("counting"))
  }
}
