import Foundation
import OrderedCollections
import RunStore
import TestSupport
import Testing
import Weights

/// JSON lines: verl's, those of any trainer, and our own.
@Suite struct LineLogTests {
  @Test func verlsNamesBecomeOurs() throws {
    let found = try log(
      """
      {"step":0,"elapsed_seconds":1.5,"data":{"val-core/gsm8k/reward/mean@1":0.25}}
      {"step":1,"data":{"actor/entropy":0.5,"actor/grad_norm":null,"actor/ppo_kl":1e-4,"actor/kl_loss":0.25,\
      "critic/score/mean":0.75,"critic/rewards/mean":0.5,"response_length/mean":9,"response_length/clip_ratio":0.125,\
      "actor/pg_clipfrac":0.01,"actor/lr":1e-6,"actor/pg_loss":-0.5,"training/epoch":0,"note":"x"}}
      {"step":3,"data":{"actor/kl_loss":1.25}}

      """)
    #expect(found.kind == .verl)
    #expect(found.records.records.map(\.step) == [0, 1, 3])
    #expect(found.records.records[0].values == ["val-core_gsm8k_reward_mean@1": 0.25])
    #expect(
      found.records.records[1].values
        == [
          "entropy": 0.5, "grad_norm": nil, "ppo_kl": 1e-4, "kl": 0.25, "reward": 0.75, "critic_rewards_mean": 0.5,
          "completions_mean_length": 9, "completions_clipped_ratio": 0.125, "clip_ratio_region_mean": 0.01,
          "learning_rate": 1e-6, "loss": -0.5, "training_epoch": 0, "kl_increment": nil,
        ])
    #expect(found.records.records[1].nonFinite == ["grad_norm"])
    #expect(found.records.records[2].values == ["kl": 1.25, "kl_increment": 0.5])
  }

  @Test func numbersBesideAStepAreColumns() throws {
    let found = try log(
      #"{"global_step": 2, "policy_loss": 1, "reward": 2, "response_length": 3, "kl": null, "actor_lr": 1e-5}"# + "\n"
        + "\u{20}\r\n" + #"{"global_step": 1, "reward": NaN, "text": "x", "deep": {"a": "b"}, "wide": {"a/b": 1}}"#
        + "\r\n"
        + #"{"global_step": 2.0, "reward": 4, "kl": 0.5}"# + "\n")
    #expect(found.kind == .jsonLines)
    #expect(found.records.records.map(\.step) == [1, 2])
    #expect(found.records.records[0].values == ["reward": nil] && found.records.records[0].nonFinite == ["reward"])
    #expect(found.records.records[0].series == ["wide": ["a/b": 1]])
    #expect(
      found.records.records[1].values
        == [
          "loss": 1, "reward": 4, "completions_mean_length": 3, "kl": 0.5, "learning_rate": 1e-5, "kl_increment": nil,
        ])
  }

  /// Whatever part of the last line is there, the lines before it are read; whole, it counts without its line feed.
  @Test func anUnfinishedLastLineIsLeftOut() throws {
    let (first, last) = (#"{"step":1,"a":1}"# + "\n", #"{"step":2,"a":1.25}"#)
    for length in 0...last.utf8.count {
      let steps = try log(first + last.prefix(length)).records.records.map(\.step)
      #expect(steps == (length == last.utf8.count ? [1, 2] : [1]), "\(length)")
    }
    let found = try #require(try logError(first + #"{"step":-2}"#))
    #expect(found.hasPrefix("log.jsonl: line 2: expected step to be a whole number, found -2. Wait"))
  }

  @Test(arguments: [
    (
      #"{"step":2,"a":"#,
      "expected a JSON object, found other text: expected a value, found the end of the text. Mend the line, or take it out"
    ),
    ("[1]", "expected a JSON object, found another value. Mend"),
    (#"{"reward":1}"#, "expected step to be a whole number, found none. Mend"),
    (#"{"step":-1}"#, "expected step to be a whole number, found -1. Mend"),
    (#"{"step":true,"global_step":1}"#, "expected step to be a whole number, found true. Mend"),
    (#"{"data":{"a":1}}"#, "expected step to be a whole number, found none. Mend"),
    (#"{"global_step":{}}"#, "expected global_step to be a whole number, found an object. Mend"),
    (
      #"{"step":1,"a":"# + String(repeating: "[", count: 300),
      "expected a JSON object, found other text: expected at most 128 levels of nesting, found more. Mend"
    ),
  ])
  func aBrokenLineIsNamed(line: String, problem: String) throws {
    let whole = #"{"step":1}"# + "\n\n"
    let found = try #require(try logError(whole + line + "\n" + whole))
    #expect(found.hasPrefix("log.jsonl: line 3: " + problem), "\(found)")
  }

  @Test func namesThatOurFilesCannotHoldAreChanged() throws {
    let found = try log(
      #"{"step":1,"title":1,".":2,"":3,"a/b":4,"a_b":5,"a\u0000b":6,"train/reward":7,"reward":8,"non_finite":9}"# + "\n"
    )
    #expect(
      found.records.records[0].values == [
        "title_": 1, "._": 2, "_": 3, "a_b_": 4, "a_b": 5, "a_b__": 6, "train_reward": 7, "reward": 8, "non_finite_": 9,
      ])
    try withFolder { folder in
      let analysis = Analysis(training: found.records)
      try AnalysisFile.write(analysis, to: folder + "/a.h5")
      let back = try #require(try AnalysisFile.read(from: folder + "/a.h5").training)
      #expect(Set(back.columns) == Set(found.records.columns))
    }
  }

  @Test func ourOwnRecordsAreReadAsTheyAre() throws {
    let text = #"{"step":1,"kl":1,"m":{"x.1":2}}"# + "\n" + #"{"step":2,"kl":3,"response_length":NaN}"# + "\n"
    let folder = try TemporaryFolder()
    try folder.write("run.h5", "")
    let path = try folder.write("training.jsonl", text)
    for source in [folder.path, path] {
      let found = try TrainingLog.read(path: source)
      #expect(found.kind == .run && found.files == [path])
      #expect(found.records.column("kl_increment") == [1: nil, 2: 2])
      #expect(found.records.seriesColumns == ["m"] && found.records.columns.contains("response_length"))
      #expect(found.records.nonFiniteSteps("response_length") == [2])
    }
    #expect(try log(text).records.seriesColumns == ["m"])
  }
}
