import Adapters
import Foundation
import OrderedCollections
import RunStore
import TestSupport
import Testing
import Weights

/// Writing that is interrupted, goes on, or fails.
@Suite struct RunWriterTests {
  @Test func aRunGoesOnWhereItWas() throws {
    try withFolder { folder in
      let path = folder + "/run"
      try SampleRun.write(to: path)
      let log = path + "/training.jsonl"
      try Data(bytes(of: log) + Array(#"{"step":11,"rew"#.utf8)).write(to: URL(filePath: log))
      #expect(try RunFolder(path: path).records().records.map(\.step) == Array(1...10))

      let writer = try RunWriter(continuing: path + "/")
      #expect(writer.path == path && writer.identity == SampleRun.identity)
      // It goes on from an earlier state: what comes again replaces what was.
      var again = SampleRun.record(9).object!
      again["reward"] = 100
      try writer.append(.object(again))
      try writer.append(SampleRun.record(11))
      try writer.write(SampleRun.snapshot(10))
      try writer.write(SampleRun.snapshot(15))
      let run = try RunFolder(path: path)
      #expect(run.steps == [0, 5, 10, 15])
      let records = try run.records().records
      #expect(records.map(\.step) == Array(1...11))
      #expect(records[8].values["reward"] == 100 && records[9].values["reward"] == 10.0 / 7)
    }
  }

  @Test func aRecordIsInTheFileAtOnce() throws {
    try withFolder { folder in
      let writer = try RunWriter(
        creating: folder + "/run", identity: SampleRun.identity, initial: SampleRun.snapshot(0))
      var expected = ""
      for step in 1...5 {
        try writer.append(["step": .integer(step), "reward": step == 2 ? .number(.nan) : 0.5])
        expected += #"{"step":\#(step),"reward":\#(step == 2 ? "null" : "0.5")}"# + "\n"
        #expect(try String(contentsOfFile: folder + "/run/training.jsonl", encoding: .utf8) == expected)
      }
    }
  }

  @Test(
    arguments: [
      (["reward": 1], "expected step to be a whole number, found none"),
      (["step": 1.5], "expected step to be a whole number, found 1.5"),
      (["step": 1, "text": "x"], "expected \"text\" to be a number, null, or numbers by module, found another value"),
      (["step": 1, "module": 2], "expected another name for a column, found \"module\""),
      ([1], "expected a JSON object, found another value"),
    ] as [(JSONValue, String)])
  func whatIsNoRecordIsNotWritten(record: JSONValue, problem: String) throws {
    try withFolder { folder in
      let writer = try RunWriter(
        creating: folder + "/run", identity: SampleRun.identity, initial: SampleRun.snapshot(0))
      let error = fileError { () throws(FileError) in try writer.append(record) }
      #expect(error?.description == "\(folder)/run/training.jsonl: \(problem)")
      #expect(error?.kind == .cannotWrite)
      #expect(try bytes(of: folder + "/run/training.jsonl").isEmpty)
    }
  }

  @Test func leftoversOfAKilledWriterAreRemoved() throws {
    try withFolder { folder in
      let path = folder + "/run"
      try SampleRun.write(to: path)
      let leftovers = [".run.h5.123-abc.tmp", ".training.h5.9-f.tmp", "checkpoints/.00000015.h5.123-abc.tmp"]
      let others = [".analysis.h5.123-abc.tmp", ".run.h5.swp", "checkpoints/.notes.tmp"]
      for name in leftovers + others { try PendingFile.write("x", to: path + "/" + name) }
      _ = try RunWriter(continuing: path)
      for name in leftovers { #expect(!FileManager.default.fileExists(atPath: path + "/" + name), "\(name)") }
      for name in others { #expect(FileManager.default.fileExists(atPath: path + "/" + name), "\(name)") }
    }
  }

  /// The writer is killed at any moment, hundreds of checkpoints in: whatever is there then can be read, all of it.
  @Test(arguments: [1, 3, 10, 30, 60, 100, 150]) func aKilledWriterLeavesAReadableRun(milliseconds: Int) async throws {
    let temporary = try TemporaryFolder()
    let folder = temporary.path
    await #expect(processExitsWith: .signal(SIGKILL)) {
      [folder = folder as String, milliseconds = milliseconds as Int] in
      let writer = try RunWriter(
        creating: folder + "/run", identity: SampleRun.identity, initial: SampleRun.snapshot(0))
      Thread.detachNewThread {
        usleep(UInt32(1000 * milliseconds))
        kill(getpid(), SIGKILL)
      }
      for step in 1... {
        try writer.append(SampleRun.record(step))
        try writer.write(SampleRun.snapshot(step))
      }
    }
    let run = try RunFolder(path: folder + "/run")
    #expect(run.identity == SampleRun.identity && run.indexError == nil)
    let last = try #require(run.steps.last)
    #expect(run.steps == Array(0...last))
    for step in run.steps { #expect(try run.snapshot(at: step) == SampleRun.snapshot(step)) }
    let recorded = try run.records().records.map(\.step)
    #expect(recorded == (0..<recorded.count).map { $0 + 1 })
    #expect(recorded.count >= last, "a record comes before its checkpoint")
    // And it goes on from there.
    let writer = try RunWriter(continuing: folder + "/run")
    try writer.append(SampleRun.record(last + 1))
    try writer.write(SampleRun.snapshot(last + 1))
    #expect(try RunFolder(path: folder + "/run").steps == Array(0...(last + 1)))
    let left = try entries(of: folder + "/run") + entries(of: folder + "/run/checkpoints")
    #expect(!left.contains { $0.hasSuffix(".tmp") })
  }

  /// A limit on the size of files stands for a full disk: the line that does not fit is told of and not left half written.
  @Test func aFullDiskLeavesWholeLines() async throws {
    let temporary = try TemporaryFolder()
    let folder = temporary.path
    await #expect(processExitsWith: .exitCode(3)) { [folder = folder as String] in
      let writer = try RunWriter(
        creating: folder + "/run", identity: SampleRun.identity, initial: SampleRun.snapshot(0))
      signal(SIGXFSZ, SIG_IGN)
      var limits = rlimit(rlim_cur: 2000, rlim_max: 2000)
      setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limits)
      for step in 1... {
        do throws(FileError) {
          try writer.append(SampleRun.record(step))
        } catch {
          exit(error.kind == .cannotWrite && error.path == folder + "/run/training.jsonl" ? 3 : 4)
        }
      }
    }
    let text = try String(contentsOfFile: folder + "/run/training.jsonl", encoding: .utf8)
    #expect(text.hasSuffix("\n") && text.utf8.count <= 2000 && text.utf8.count > 1500)
    #expect(try RunFolder(path: folder + "/run").records().records.count == text.split(separator: "\n").count)
  }

  @Test func manyThreadsMayAppend() async throws {
    let temporary = try TemporaryFolder()
    let folder = temporary.path
    let writer = try SampleRun.write(to: folder + "/run")
    try await withThrowingTaskGroup(of: Void.self) { group in
      for step in 11...60 {
        group.addTask {
          try writer.append(SampleRun.record(step))
          if step.isMultiple(of: 10) { try writer.write(SampleRun.snapshot(step)) }
        }
      }
      try await group.waitForAll()
    }
    let run = try RunFolder(path: folder + "/run")
    #expect(try run.records().records.map(\.step) == Array(1...60))
    #expect(run.steps == [0, 5, 10, 20, 30, 40, 50, 60])
  }
}
