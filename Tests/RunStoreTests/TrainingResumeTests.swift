import Adapters
import Foundation
import OrderedCollections
import RunStore
import TestSupport
import Testing
import Training
import Weights

/// A run that was killed and goes on ends as one that never was, for every method and wherever it died.
@Suite struct TrainingResumeTests {
  private let folder = try! TemporaryFolder()

  private func configuration(_ method: AdapterMethod) -> TrainingConfiguration {
    var configuration = TrainingConfiguration()
    configuration.method = method
    configuration.learningRate = method == .full ? 1e-3 : 1e-2
    (configuration.steps, configuration.checkpointEvery) = (7, 2)
    (configuration.prompts, configuration.groupSize) = (4, 4)
    (configuration.heldOutCount, configuration.retentionCount) = (8, 8)
    if method == .lora || method == .dora { configuration.adapter.dropout = 0.1 }
    return configuration
  }

  private func base() throws -> PretrainedModel {
    try EmbeddedBase.write(to: folder.path("base"))
    return try PretrainedModel(path: folder.path("base"))
  }

  private struct Death: Error {}

  /// Passes everything on to a recorder, and dies at the given event.
  private final class Mortal: TrainingObserver {
    let recorder: RunRecorder
    private var eventsLeft: Int

    init(_ recorder: RunRecorder, eventsLeft: Int) {
      self.recorder = recorder
      self.eventsLeft = eventsLeft
    }

    private func live() throws(FileError) {
      eventsLeft -= 1
      if eventsLeft < 0 { throw FileError(.cannotWrite, path: "death", "dead") }
    }

    func didStart(_ start: AdapterSnapshot, state: TrainingState) throws(FileError) {
      try live()
      try recorder.didStart(start, state: state)
    }
    func didUpdate(_ record: TrainingRecord, velocity: UpdateVelocity?) throws(FileError) -> TrainingDirective {
      try live()
      return try recorder.didUpdate(record, velocity: velocity)
    }
    func didFinish(_ record: TrainingRecord) throws(FileError) {
      try live()
      try recorder.didFinish(record)
    }
    func willReachCheckpoint(_ state: TrainingState) throws(FileError) {
      try live()
      try recorder.willReachCheckpoint(state)
    }
    func didReachCheckpoint(_ snapshot: AdapterSnapshot) throws(FileError) {
      try live()
      try recorder.didReachCheckpoint(snapshot)
    }
  }

  /// Trains, from what the folder holds on, until the end or the given event.
  private func train(
    _ configuration: TrainingConfiguration, _ base: PretrainedModel, to path: String, eventsLeft: Int = .max,
    beginsAgain: Bool = false
  ) throws {
    let identity = RunIdentity(configuration, baseID: "base", createdBy: "test")
    var recorder = RunRecorder(path: path, identity: identity)
    var point: ResumePoint?
    if RunFolder.isRun(at: path) {
      (recorder, point) = try RunRecorder.resuming(path, expected: identity, beginsAgain: beginsAgain)
    }
    let observer = Mortal(recorder, eventsLeft: eventsLeft)
    let trainer = try Trainer(configuration, base: base, threads: 1, observer: observer)
    if let point { try trainer.restore(point.state, from: point.snapshot, initial: point.initial) }
    do {
      _ = try trainer.run()
    } catch let error as FileError where error.path == "death" {}
  }

  /// Everything that the run is, without times.
  private func content(_ path: String) throws -> [String] {
    let run = try RunFolder(path: path)
    let lines = try String(contentsOfFile: path + "/training.jsonl", encoding: .utf8).split(separator: "\n")
    let records = try lines.map { line in
      var object = try JSONValue(parsing: Array(line.utf8)).object!
      object["seconds"] = nil
      return JSONValue.object(object).text()
    }
    let states = try FileManager.default.contentsOfDirectory(atPath: path + "/resume").sorted()
    return try run.steps.map { try "\($0) \(run.snapshot(at: $0).sha256)" } + records + states
  }

  @Test(arguments: AdapterMethod.trainable)
  func everyMethodGoesOn(method: AdapterMethod) throws {
    let (configuration, base) = (configuration(method), try base())
    try train(configuration, base, to: folder.path("whole"))
    let whole = try content(folder.path("whole"))
    #expect(whole.suffix(2) == ["00000006.h5", "00000007.h5"])
    // Three deaths, each in another part of a step, then to the end.
    let path = folder.path("killed")
    for events in [12, 1, 7] { try train(configuration, base, to: path, eventsLeft: events) }
    try train(configuration, base, to: path)
    #expect(try content(path) == whole)
  }

  /// The sampler's rounds, the masks of dropout and the count of steps without reward go on as well.
  @Test(arguments: [TrainingConfiguration.Objective.dapo, .drGRPO, .sft])
  func everyObjectiveGoesOn(objective: TrainingConfiguration.Objective) throws {
    var configuration = configuration(.lora)
    configuration.objective = objective
    (configuration.updatesPerRollout, configuration.zeroRewardPatience) = (2, 4)
    let base = try base()
    try train(configuration, base, to: folder.path("whole"))
    let path = folder.path("killed")
    for events in [9, 3, 8] { try train(configuration, base, to: path, eventsLeft: events) }
    try train(configuration, base, to: path)
    #expect(try content(path) == content(folder.path("whole")))
  }

  /// A policy that has collapsed ends as early as it would have.
  @Test func patienceGoesOn() throws {
    var configuration = configuration(.full)
    (configuration.learningRate, configuration.steps, configuration.zeroRewardPatience) = (0.1, 30, 9)
    let base = try base()
    try train(configuration, base, to: folder.path("whole"))
    let path = folder.path("killed")
    for events in [14, 12] { try train(configuration, base, to: path, eventsLeft: events) }
    try train(configuration, base, to: path)
    let whole = try content(folder.path("whole"))
    #expect(try RunFolder(path: path).steps.last! < 30)
    #expect(try content(path) == whole)
    // Nor does one that has ended go on.
    configuration.checkpointEvery = 1
    try train(configuration, base, to: folder.path("dense"))
    let dense = try content(folder.path("dense"))
    try train(configuration, base, to: folder.path("dense"))
    #expect(try content(folder.path("dense")) == dense)
  }

  @Test func itGoesOnFromEveryEvent() throws {
    let (configuration, base) = (configuration(.adalora), try base())
    try train(configuration, base, to: folder.path("whole"))
    let whole = try content(folder.path("whole"))
    for events in 0..<24 {
      let path = folder.path("killed-\(events)")
      try train(configuration, base, to: path, eventsLeft: events)
      try train(configuration, base, to: path)
      #expect(try content(path) == whole, "dead after \(events) events")
    }
  }

  @Test func aFinishedRunStaysAsItIs() throws {
    let (configuration, base) = (configuration(.lora), try base())
    try train(configuration, base, to: folder.path("run"))
    let before = try content(folder.path("run"))
    try train(configuration, base, to: folder.path("run"))
    #expect(try content(folder.path("run")) == before)
  }

  @Test func aDamagedLastCheckpointIsMadeAgain() throws {
    let (configuration, base) = (configuration(.pissa), try base())
    try train(configuration, base, to: folder.path("run"))
    let before = try content(folder.path("run"))
    for name in ["checkpoints/00000007.h5", "resume/00000006.h5"] {
      let path = folder.path("run/" + name)
      try Data(try Data(contentsOf: URL(fileURLWithPath: path)).prefix(2000)).write(to: URL(fileURLWithPath: path))
    }
    // The state of step 7 is whole, but its checkpoint is not, and of step 6 it is the other way round. Four sound checkpoints would be
    // lost, which nobody has asked for.
    #expect(throws: FileError.self) { try train(configuration, base, to: folder.path("run")) }
    #expect(try RunFolder(path: folder.path("run")).steps == [0, 2, 4, 6, 7])
    try train(configuration, base, to: folder.path("run"), beginsAgain: true)
    #expect(try content(folder.path("run")) == before)
  }

  @Test func aBrokenRecordLosesNothing() throws {
    let (configuration, base) = (configuration(.lora), try base())
    try train(configuration, base, to: folder.path("run"))
    let log = folder.path("run/training.jsonl")
    var lines = try String(contentsOfFile: log, encoding: .utf8).split(separator: "\n").map(String.init)
    lines[2] = "xx"
    try (lines.joined(separator: "\n") + "\n").write(toFile: log, atomically: true, encoding: .utf8)
    let error = #expect(throws: FileError.self) { try train(configuration, base, to: folder.path("run")) }
    #expect(error?.object == "line 3")
    #expect(try RunFolder(path: folder.path("run")).steps == [0, 2, 4, 6, 7])
  }

  @Test func aSecondWriterIsRefused() throws {
    let path = folder.path("run")
    let writer = try RunWriter(creating: path, identity: SampleRun.identity, initial: SampleRun.snapshot(0))
    let error = #expect(throws: FileError.self) { try RunWriter(continuing: path) }
    #expect(
      error.map { "\($0)" } == "\(path): expected a run that nobody writes, found one that another process is writing. "
        + "Wait for it, or stop it")
    withExtendedLifetime(writer) {}
  }

  @Test func anotherBaseIsRefused() throws {
    let (configuration, base) = (configuration(.lora), try base())
    try train(configuration, base, to: folder.path("run"), eventsLeft: 9)
    let other = RunIdentity(configuration, baseID: "another", createdBy: "test")
    #expect(throws: FileError.self) { try RunRecorder.resuming(folder.path("run"), expected: other) }
  }

  @Test func aStateThatDoesNotFitIsRefused() throws {
    let (configuration, base) = (configuration(.lora), try base())
    let trainer = try Trainer(
      configuration, base: base, threads: 1,
      observer: RunRecorder(path: folder.path("none"), identity: SampleRun.identity))
    let snapshot = trainer.model.adapters.snapshot(step: 2)
    let state = TrainingState(step: 2, optimizer: .init(first: [1], second: [1], stepCount: 2))
    #expect(throws: TrainingError.self) { try trainer.restore(state, from: snapshot, initial: snapshot) }
    var other = snapshot
    other.modules[other.modules.keys[0]]![0].values[0] += 1
    #expect(throws: TrainingError.otherStart(module: other.modules.keys[0])) {
      try trainer.restore(state, from: snapshot, initial: other)
    }
  }
}
