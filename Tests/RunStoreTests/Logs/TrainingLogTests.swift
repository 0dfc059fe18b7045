import Foundation
import OrderedCollections
import RunStore
import TestSupport
import Testing
import Weights

/// What a log is told by, and how logs are joined.
@Suite struct TrainingLogTests {
  private static let readable =
    "Read are: training.jsonl of a run folder; trainer_state.json (Hugging Face Trainer, TRL); JSON lines of verl's file "
    + "logger; JSON lines with a step; TensorBoard event files; CSV with a column of steps"

  @Test(arguments: [
    (
      "",
      "expected a training log, found an empty file. Wait if it is still being written, else copy or download it again"
    ),
    (" \n", "expected a training log, found only white space. \(readable)"),
    (
      "<html>", "expected a training log, found an HTML page. Download it again: this is often a server's error message"
    ),
    ("[1]", "expected a training log, found JSON text. Download"),
    ("a\0b", "expected a training log, found binary data. \(readable)"),
    ("\u{89}HDF", "line 1: expected a line of names"),
    ("PK\u{3}\u{4}", "expected a training log, found a zip archive, as torch.save writes. Convert"),
    (#"{"step": 1, "lo"#, "line 1: expected a JSON object, found other text: expected '\"' at the end of a string"),
  ])
  func whatIsNoLogIsNamed(text: String, problem: String) throws {
    let found = try #require(try logError(text, "log"))
    #expect(found.hasPrefix("log: " + problem), "\(found)")
  }

  @Test func theNameOfAFileDecidesNothing() throws {
    #expect(try log("step,a\n1,2\n", "trainer_state.json").kind == .csv)
    #expect(try log(#"{"step":1,"a":2}"# + "\n", "trainer_state.json").kind == .jsonLines)
    #expect(try log(#"{"log_history":[{"step":1,"a":2}]}"#, "log.csv").records.column("a") == [1: 2])
    #expect(try log("{\r\n\"log_history\":[{\"step\":1,\"a\":2}]}", "training.jsonl").kind == .trainerState)
  }

  @Test func aFolderWithoutALogIsNamed() throws {
    let folder = try TemporaryFolder()
    try folder.write("checkpoint-1/adapter_config.json", "{}")
    let error = fileError { () throws(FileError) in try TrainingLog.read(path: folder.path) }
    #expect(
      error?.description
        == "\(folder.path): expected a training log: training.jsonl of a run, trainer_state.json here or in checkpoint-N, or "
        + "TensorBoard's events.out.tfevents files here or below, found none. Name the log's file, or the folder that holds it"
    )
    let missing = fileError { () throws(FileError) in try TrainingLog.read(path: "/nowhere/log") }
    #expect(
      missing?.description == "/nowhere/log: no such file or folder. Check the path" && missing?.kind == .cannotOpen)
  }

  @Test func theFirstWinsWhereBothHaveAColumn() throws {
    let a = try log(#"{"step":2,"x":1,"y":NaN}"# + "\n" + #"{"step":4,"x":5}"# + "\n").records
    let b = try log(#"{"step":1,"x":7}"# + "\n" + #"{"step":2,"x":8,"y":9,"z":Infinity}"# + "\n").records
    let joined = a.merging(b)
    #expect(joined.records.map(\.step) == [1, 2, 4])
    #expect(joined.records.map(\.values) == [["x": 7], ["x": 1, "y": nil, "z": nil], ["x": 5]])
    #expect(joined.records[1].nonFinite == ["y", "z"])
    #expect(b.merging(a).records[1].values == ["x": 8, "y": 9, "z": nil])
    #expect(b.merging(a).records[1].nonFinite == ["z"])
    #expect(a.merging(TrainingRecords()) == a && TrainingRecords().merging(a) == a)
  }

  @Test func theIncrementOfKLIsPerStep() throws {
    let rows = [
      #"{"step":2,"kl":1}"#, #"{"step":3}"#, #"{"step":6,"kl":3}"#, #"{"step":7,"kl":null}"#, #"{"step":8,"kl":1}"#,
    ]
    let found = try log(rows.map { $0 + "\n" }.joined()).records
    #expect(found.column("kl_increment") == [2: nil, 6: 0.5, 7: nil, 8: nil])
    let recorded = try log(#"{"step":1,"kl":1,"kl_increment":5}"# + "\n" + #"{"step":2,"kl":3}"# + "\n").records
    #expect(recorded.column("kl_increment") == [1: 5])
  }

  @Test func ofSeveralNamesForOneColumnTheFirstOfTheTableCounts() throws {
    func columns(_ json: String) throws -> [String] { try log(json + "\n").records.columns.sorted() }
    #expect(try columns(#"{"step":1,"critic/rewards/mean":1}"#) == ["reward"])
    #expect(
      try columns(#"{"step":1,"critic/rewards/mean":1,"critic/score/mean":1}"#) == ["critic_rewards_mean", "reward"])
    #expect(try columns(#"{"step":1,"policy_loss":1,"loss":1}"#) == ["loss", "policy_loss"])
    #expect(
      try columns(#"{"step":1,"completion_length":1,"completions/mean_length":1}"#)
        == ["completion_length", "completions_mean_length"])
    #expect(try columns(#"{"step":1,"completion_length":1}"#) == ["completions_mean_length"])
    #expect(try columns(#"{"step":1,"actor/ppo_kl":1}"#) == ["ppo_kl"])
    #expect(try columns(#"{"step":1,"train/reward":1,"eval/reward":1}"#) == ["eval_reward", "reward"])
  }
}
