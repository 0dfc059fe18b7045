import Foundation
import Measurement
import RunStore
import TestSupport
import Testing
import Weights

/// How work is divided, and who is told which part of it.
@Suite struct ShardTests {
  @Test(arguments: [1, 2, 3, 7, 40, 100], [0, 1, 14, 41])
  func partsAreDisjointAndAllOfIt(count: Int, items: Int) throws {
    let items = Array(0..<items)
    let parts = Shard.parts(of: items, among: count) { Double($0 % 5) }
    #expect(parts.count == count)
    #expect(parts.flatMap(\.self).sorted() == items)
    #expect(parts.allSatisfy { $0 == $0.sorted() }, "items keep their order")
    for index in 0..<count {
      #expect(try Shard(index: index, count: count).part(of: items) { Double($0 % 5) } == parts[index])
    }
  }

  /// The longest processing time first is at most 4/3 − 1/(3n) of the best division (Graham 1969).
  @Test func partsCostAboutTheSame() {
    let costs = (0..<196).map { Double(1 + ($0 * 7919) % 97) }
    for count in [2, 3, 7, 16] {
      let loads = Shard.parts(of: costs, among: count) { $0 }.map { $0.reduce(0, +) }
      #expect(loads.max()! <= costs.reduce(0, +) / Double(count) * 1.05)
    }
    // One costly item is a part of its own.
    #expect(Shard.parts(of: [1.0, 1, 1, 9], among: 2) { $0 } == [[9], [1, 1, 1]])
    // Counts are balanced where costs say nothing.
    #expect(Shard.parts(of: Array(0..<8), among: 3) { _ in 0 }.map(\.count) == [3, 3, 2])
  }

  @Test func aShardIsReadFromItsText() throws {
    #expect(try Shard("0/1") == Shard(index: 0, count: 1))
    #expect(try Shard("11/12").description == "11/12")
    for text in ["", "1", "1/", "/1", "a/b", "1/2/3", "-1/2", "2/2", "0/0", "0/-1", "1.0/2", "auto", "0/1000000000000"]
    {
      #expect(throws: ShardError.self, "\(text)") { try Shard(text) }
    }
  }

  private func array(_ id: Int, _ values: Range<Int>, step: Int = 1) -> [String: String] {
    let ids = Array(stride(from: values.lowerBound, to: values.upperBound, by: step))
    return [
      "SLURM_ARRAY_TASK_ID": "\(id)", "SLURM_ARRAY_TASK_MIN": "\(ids.first!)", "SLURM_ARRAY_TASK_MAX": "\(ids.last!)",
      "SLURM_ARRAY_TASK_STEP": "\(step)", "SLURM_ARRAY_TASK_COUNT": "\(ids.count)",
    ]
  }

  @Test func slurmSaysIt() throws {
    #expect(try Shard(slurm: array(0, 0..<8)) == Shard(index: 0, count: 8))
    #expect(try Shard(slurm: array(7, 5..<9)) == Shard(index: 2, count: 4))
    #expect(try Shard(slurm: array(9, 5..<12, step: 2)) == Shard(index: 2, count: 4))
    let tasks = ["SLURM_PROCID": "3", "SLURM_NTASKS": "4"]
    #expect(try Shard(slurm: tasks) == Shard(index: 3, count: 4))
    // A task inside an array's task is for its own program to divide.
    #expect(try Shard(slurm: array(1, 0..<2).merging(tasks) { $1 }) == Shard(index: 1, count: 2))
  }

  @Test func anEnvironmentThatSaysNothingIsRefused() throws {
    func message(_ environment: [String: String]) throws -> String {
      try #require(throws: ShardError.self) { try Shard(slurm: environment) }.message
    }
    for name in ["SLURM_ARRAY_TASK_ID", "_COUNT", "SLURM_PROCID", "SLURM_NTASKS", "--shard i/n"] {
      #expect(try message([:]).contains(name))
    }
    #expect(try message(["SLURM_PROCID": "0"]).contains("SLURM_NTASKS"))
    for name in ["SLURM_ARRAY_TASK_MIN", "SLURM_ARRAY_TASK_MAX", "SLURM_ARRAY_TASK_COUNT"] {
      var environment = array(1, 0..<4)
      environment[name] = nil
      #expect(try message(environment).contains(name))
    }
    #expect(try message(["SLURM_PROCID": "x", "SLURM_NTASKS": "4"]).contains("found 'x'"))
    // --array=0,1,5: no division follows from these.
    var uneven = array(1, 0..<6)
    uneven["SLURM_ARRAY_TASK_COUNT"] = "3"
    #expect(try message(uneven).contains("evenly spaced"))
    // --array=5: the one task that is submitted again is not the whole.
    #expect(try message(array(5, 5..<6)).contains("submitted again"))
  }
}

/// Shards of an analysis that is measured in this process.
@Suite struct ShardMergeTests {
  private let run = try! SyntheticRun()
  private var folder: String { run.folder.path("analysis.h5.shards") }

  init() throws {
    for step in [10, 20, 30] { try run.write(step: step, broken: step == 20 ? "layers.1.q" : nil) }
  }

  private func measure(_ index: Int, of count: Int, stopAfter pieces: Int? = nil) throws -> MeasurementPlan.ShardOutcome
  {
    let options = run.options()
    return try MeasurementPlan(options).run(
      Shard(index: index, count: count), options,
      shouldStop: {
        let journal = "\(folder)/shard-\(index)-of-\(count).pieces"
        let text = (try? String(contentsOfFile: journal, encoding: .utf8)) ?? ""
        return pieces.map { text.components(separatedBy: "\"damaged\"").count - 1 >= $0 } ?? false
      })
  }

  private func merge() throws -> MeasurementPlan.Outcome {
    try ShardMerge(folders: [folder], output: run.folder.path("analysis.h5")).run()
  }

  @Test(arguments: [1, 2, 3, 5])
  func theFileIsThatOfOneProcess(count: Int) throws {
    let whole = try run.measure(output: "whole.h5")
    for index in (0..<count).reversed() { _ = try measure(index, of: count) }
    let joined = try merge()
    #expect(try run.written() == run.written("whole.h5"))
    #expect(joined.damaged == whole.damaged && joined.damaged == 1)
    // Joining changes nothing of what it joins.
    _ = try merge()
    #expect(try run.written() == run.written("whole.h5"))
  }

  @Test func anInterruptedShardGoesOnAndAFinishedOneIsKept() throws {
    #expect(throws: MeasurementPlan.Interrupted.self) { try measure(0, of: 2, stopAfter: 2) }
    _ = try measure(1, of: 2)
    let refusal = try #require(throws: ShardMerge.Refusal.self) { try merge() }
    #expect(
      refusal.problems.map(\.problem)
        == [#"shard 0/2 has not ended, 2 of 3 pieces are done; missing: step 30 of "layers.0.q""#])
    let ended = try measure(0, of: 2)
    #expect(ended.measured == 1 && ended.pieces == 3)
    let path = folder + "/shard-0-of-2.jsonl"
    let before = try Data(contentsOf: URL(filePath: path))
    #expect(try measure(0, of: 2).measured == 0)
    #expect(try Data(contentsOf: URL(filePath: path)) == before)
    #expect(!FileManager.default.fileExists(atPath: folder + "/shard-0-of-2.pieces"))
    _ = try merge()
  }

  /// A log that has grown is read again, without measuring anything.
  @Test func theLogIsTheOneThatWasReadLast() throws {
    _ = try measure(0, of: 2)
    _ = try measure(1, of: 2)
    try run.folder.write("run/log.csv", "step,reward\n10,0.5\n20,0.75\n")
    var options = run.options()
    options.logs = [run.folder.path("run/log.csv")]
    for index in 0..<2 { _ = try MeasurementPlan(options).run(Shard(index: index, count: 2), options) }
    #expect(try merge().analysis.training?.records.count == 2)
    try run.folder.write("run/log.csv", "step,reward\n10,0.5\n20,0.75\n30,1\n")
    #expect(try MeasurementPlan(options).run(Shard(index: 1, count: 2), options).measured == 0)
    #expect(try merge().analysis.training?.records.map(\.step) == [10, 20, 30])
    _ = try MeasurementPlan(options).run(options)
    let alone = try run.written()
    _ = try merge()
    #expect(try run.written() == alone)
  }

  @Test func otherCheckpointsAreNamed() throws {
    _ = try measure(0, of: 2)
    try run.write(step: 40)
    _ = try measure(1, of: 2)
    let refusal = try #require(throws: ShardMerge.Refusal.self) { try merge() }
    #expect(refusal.problems.count == 1 && refusal.problems[0].path == folder + "/shard-1-of-2.jsonl")
    #expect(refusal.problems[0].problem.hasPrefix("expected the same checkpoints as shard-0-of-2.jsonl, found others"))
  }
}
