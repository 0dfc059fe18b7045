import Foundation
import OrderedCollections
import RunStore
import TestSupport
import Testing
import Weights

/// `trainer_state.json`, as TRL wrote it and as it may be found.
@Suite struct TrainerStateLogTests {
  private static let name = "trainer_state.json"

  private func state(_ step: Int, _ entries: String...) -> String {
    #"{"global_step": \#(step), "log_history": ["# + entries.joined(separator: ", ") + "]}\n"
  }

  private func message(_ text: String) throws -> String? { try logError(text, Self.name) }

  @Test(arguments: ["trl", "trl/trainer_state.json", "trl/checkpoint-6"])
  func everyNumberOfTRLIsFound(source: String) throws {
    let found = try TrainingLog.read(path: LogReferences.path(source))
    let expected = try #require(try LogReferences.expected("trl").array)
    #expect(found.kind == .trainerState && found.remarks.isEmpty)
    #expect(found.records.records.map(\.step) == expected.map { $0["step"]?.int })
    for (record, entry) in zip(found.records.records, expected) {
      var values = record.values
      values["kl_increment"] = nil
      #expect(Set(values.keys) == Set(entry.object!.keys).subtracting(["step"]))
      for (column, value) in entry.object! where column != "step" {
        #expect(record.values[column] == .some(value.double), "\(column) at step \(record.step)")
        #expect(record.nonFinite.contains(column) == (value.string != nil))
      }
    }
    #expect(found.records.nonFiniteSteps("loss") == [3, 4, 5, 6])
  }

  @Test func aFolderOfOneRunIsReadFromItsNewestState() throws {
    let found = try TrainingLog.read(path: LogReferences.path("trl"))
    #expect(found.files == [LogReferences.path("trl/trainer_state.json")])
    let early = try TrainingLog.read(path: LogReferences.path("trl/checkpoint-3"))
    #expect(early.records.records.map(\.step) == [1, 2, 3])
  }

  @Test func entriesOfOneStepAreJoinedAndTheSummaryIsNone() throws {
    let found = try log(
      state(
        2, #"{"step": 1, "loss": 2, "note": "x", "flag": true, "list": [1]}"#, #"{"step": 2, "loss": 1, "kl": null}"#,
        #"{"step": 2, "eval_loss": 3, "loss": 0.5}"#,
        #"{"step": 2, "train_runtime": 9, "train_loss": 7, "total_flos": 1e9, "train_samples_per_second": 1, "#
          + #""train_steps_per_second": 1, "completions/mean_length": 4}"#),
      Self.name
    ).records
    #expect(found.records.map(\.step) == [1, 2])
    #expect(found.records[0].values == ["loss": 2])
    #expect(
      found.records[1].values
        == ["loss": 0.5, "kl": nil, "eval_loss": 3, "completions_mean_length": 4, "kl_increment": nil])
    #expect(found.records[1].nonFinite == [])
  }

  @Test func tokensThatAreNoNumbersAreRemembered() throws {
    let found = try log(
      state(
        3, #"{"step": 1, "loss": NaN, "grad_norm": Infinity}"#, #"{"step": 2, "loss": -Infinity, "grad_norm": 1e999}"#,
        #"{"step": 3, "loss": 1, "grad_norm": 1}"#), Self.name
    ).records
    #expect(found.column("loss") == [1: nil, 2: nil, 3: 1])
    #expect(found.nonFiniteSteps("loss") == [1, 2] && found.nonFiniteSteps("grad_norm") == [1, 2])
  }

  /// The state that ends up newest has no more than what came after the run was resumed.
  @Test func olderStatesFillAHistoryThatWasCut() throws {
    let folder = try TemporaryFolder()
    func write(_ path: String, _ text: String) throws { try folder.write(path, text) }
    try write("checkpoint-2/trainer_state.json", state(2, #"{"step": 1, "loss": 1}"#, #"{"step": 2, "loss": 2}"#))
    try write("checkpoint-3/trainer_state.json", state(3, #"{"step": 3, "loss": 33}"#))
    try write("checkpoint-4/trainer_state.json", "{ is not needed")
    try write("checkpoint-10/trainer_state.json", state(10, #"{"step": 3, "loss": 3}"#, #"{"step": 10, "loss": 10}"#))
    let found = try TrainingLog.read(path: folder.path)
    #expect(found.records.column("loss") == [1: 1, 2: 2, 3: 3, 10: 10])
    #expect(
      found.files == [
        folder.path("checkpoint-10/trainer_state.json"), folder.path("checkpoint-2/trainer_state.json"),
      ])
    try write("trainer_state.json", state(12, #"{"step": 11, "loss": 11}"#))
    #expect(try TrainingLog.read(path: folder.path).records.column("loss") == [1: 1, 2: 2, 3: 3, 10: 10, 11: 11])
  }

  /// Whatever part of the newest state is there, the one before it is read, and this is said.
  @Test func aStateThatIsBeingWrittenIsLeftOut() throws {
    let folder = try TemporaryFolder()
    try folder.write("checkpoint-1/trainer_state.json", state(1, #"{"step": 1, "loss": 1}"#))
    let whole = state(2, #"{"step": 1, "loss": NaN, "note": "a\u00e9"}"#, #"{"step": 2, "x": -1.5e3, "y": null}"#)
    for length in 1..<whole.utf8.count - 1 {
      try folder.write("checkpoint-2/trainer_state.json", [UInt8](whole.utf8.prefix(length)))
      let found = try TrainingLog.read(path: folder.path)
      #expect(found.records.records.map(\.step) == [1], "\(length)")
      #expect(
        found.remarks.map { $0.description.replacing(folder.path + "/", with: "") } == [
          "checkpoint-2/trainer_state.json: expected a whole JSON object, found only its beginning. "
            + "Wait if it is still being written, else take another checkpoint's"
        ])
    }
    try folder.write("checkpoint-1/trainer_state.json", "{\n")
    let error = fileError { () throws(FileError) in try TrainingLog.read(path: folder.path) }
    #expect(error?.description.hasPrefix(folder.path("checkpoint-2/trainer_state.json: expected a whole")) == true)
  }

  @Test(arguments: [
    (
      #"{"log_history": {}}"#,
      "log_history: expected a list, found another value. A log in one JSON document is the Trainer's trainer_state.json"
    ),
    (
      "{\n\"global_step\": 3}",
      "log_history: expected a list, found none. A log in one JSON document is the Trainer's trainer_state.json"
    ),
    (
      #"{"log_history": [{"step": 1}, {"loss": 1}]}"#,
      "log_history[1]: expected step to be a whole number, found none. Take the state of another checkpoint, or mend the entry"
    ),
    (#"{"log_history": [{"step": -1}]}"#, "log_history[0]: expected step to be a whole number, found -1. Take"),
    (#"{"log_history": [{"step": 1.5}]}"#, "log_history[0]: expected step to be a whole number, found 1.5. Take"),
    (#"{"log_history": [{"step": 1e300}]}"#, "log_history[0]: expected step to be a whole number, found 1e+300. Take"),
    (
      #"{"log_history": [{"step": "1\n"}]}"#,
      #"log_history[0]: expected step to be a whole number, found "1\u{a}". Take"#
    ),
    (#"{"log_history": [{"step": []}]}"#, "log_history[0]: expected step to be a whole number, found a list. Take"),
    (#"{"log_history": [7]}"#, "log_history[0]: expected a JSON object, found another value. Take"),
    (
      "{\n\"log_history\": [{\"step\" 1}]}",
      "invalid JSON at line 2, byte 26: expected ':' after the key, found '1'. Take the state of another checkpoint"
    ),
    (
      #"{"log_history": "# + String(repeating: "[", count: 200) + String(repeating: "]", count: 200) + "}",
      "invalid JSON at line 1, byte 143: expected at most 128 levels of nesting, found more. Take"
    ),
  ])
  func damageIsNamed(text: String, problem: String) throws {
    let found = try #require(try message(text))
    #expect(found.hasPrefix("trainer_state.json: " + problem), "\(found)")
  }
}
