import Adapters
import Diagnosis
import Foundation
import OrderedCollections
import RunStore
import Synchronization
import TestSupport
import Testing
import Training
import Weights

/// Training runs that their own gate stops, refuses or takes back.
@Suite struct GatedTrainingTests {
  private let folder = try! TemporaryFolder()

  private func configuration(_ method: AdapterMethod = .lora) -> TrainingConfiguration {
    var configuration = TrainingConfiguration()
    (configuration.method, configuration.learningRate) = (method, 1e-2)
    (configuration.steps, configuration.checkpointEvery) = (9, 2)
    (configuration.prompts, configuration.groupSize) = (4, 4)
    (configuration.heldOutCount, configuration.retentionCount) = (8, 8)
    return configuration
  }

  private func base() throws -> PretrainedModel {
    try EmbeddedBase.write(to: folder.path("base"))
    return try PretrainedModel(path: folder.path("base"))
  }

  private func identity(_ configuration: TrainingConfiguration) -> RunIdentity {
    RunIdentity(configuration, baseID: "base", createdBy: "test")
  }

  /// Trains, from what the folder holds on.
  @discardableResult private func train(
    _ configuration: TrainingConfiguration, _ base: PretrainedModel, to path: String, gate: TrainingGate? = nil,
    until shouldStop: @escaping (Int) -> Bool = { _ in false }
  ) throws -> Trainer.Ending {
    let identity = identity(configuration)
    var step = 0
    let listeners = RunRecorder.Listeners(record: { step = $0.step })
    var recorder = RunRecorder(
      path: path, identity: identity, gate: gate, policy: gate.map { _ in .standard }, listeners: listeners)
    var point: ResumePoint?
    if RunFolder.isRun(at: path) {
      (recorder, point) = try RunRecorder.resuming(path, expected: identity, gate: gate, listeners: listeners)
    }
    let trainer = try Trainer(configuration, base: base, threads: 1, observer: recorder)
    if let point { try trainer.restore(point.state, from: point.snapshot, initial: point.initial) }
    return try trainer.run { shouldStop(step) }
  }

  /// What the run is, without times: checkpoints and records.
  private func content(_ path: String) throws -> [String] {
    let run = try RunFolder(path: path)
    let records = try lines(path + "/training.jsonl").map { line in
      var object = line.object!
      object["seconds"] = nil
      return JSONValue.object(object).text()
    }
    return try run.steps.map { try "\($0) \(run.snapshot(at: $0).sha256)" } + records
  }

  private func lines(_ path: String) throws -> [JSONValue] {
    try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").map {
      try JSONValue(parsing: Array($0.utf8))
    }
  }

  private func interventions(_ path: String) throws -> [JSONValue] { try lines(path + "/interventions.jsonl") }

  private static func alarm(_ step: Int) -> TrainingGate.Alarm {
    let finding = Finding(step: step, code: "SP201", name: "update-velocity", severity: .alert, message: "too far")
    return TrainingGate.Alarm(finding, firstSickStep: step)
  }

  private func gate(
    _ action: TrainingGate.Options.Action, _ configuration: TrainingConfiguration, divisor: Double? = nil,
    most: Int = 3, judge: @escaping TrainingGate.Judge
  ) -> TrainingGate {
    var options = TrainingGate.Options()
    (options.action, options.rateDivisor, options.most) = (action, divisor, most)
    return TrainingGate(options, setup: RunSetup(identity(configuration)), judge: judge)
  }

  /// Alarmed of a step, once.
  private func once(at step: Int) -> TrainingGate.Judge {
    let isSpent = Mutex(false)
    return { run in
      guard run.timeline.records.last?.step == step else { return nil }
      return isSpent.withLock { spent in
        defer { spent = true }
        return spent ? nil : Self.alarm(step)
      }
    }
  }

  /// Alarmed of a step wherever the run has its first learning rate: what it says does not depend on what it said before.
  private func atFullRate(_ step: Int, _ configuration: TrainingConfiguration) -> TrainingGate.Judge {
    let rate = configuration.learningRate
    return { run in
      run.timeline.records.last?.step == step && run.setup.learningRate == rate ? Self.alarm(step) : nil
    }
  }

  /// A gate that has nothing to say changes nothing.
  @Test func aSilentGateChangesNothing() throws {
    let (configuration, base) = (configuration(), try base())
    try train(configuration, base, to: folder.path("free"))
    try train(configuration, base, to: folder.path("gated"), gate: gate(.rollBack, configuration) { _ in nil })
    #expect(try content(folder.path("gated")) == content(folder.path("free")))
    #expect(!FileManager.default.fileExists(atPath: folder.path("gated") + "/interventions.jsonl"))
  }

  /// Going back and on at the same rate comes to what it would have been without: nothing of what was undone is left.
  @Test(arguments: AdapterMethod.trainable)
  func goingBackLeavesNothing(method: AdapterMethod) throws {
    let (configuration, base) = (configuration(method), try base())
    try train(configuration, base, to: folder.path("free"))
    let path = folder.path("gated")
    let ending = try train(
      configuration, base, to: path, gate: gate(.rollBack, configuration, divisor: 1, judge: once(at: 7)))
    #expect(ending == .finished)
    #expect(try content(path) == content(folder.path("free")))
    let deed = try #require(try interventions(path).first?.object)
    #expect(deed["step"] == .integer(7) && deed["action"] == .string("roll-back") && deed["to"] == .integer(6))
    #expect(deed["learning_rate"]?.double == 1e-2 && deed["finding"]?["code"]?.string == "SP201")
    #expect(deed["records"]?.array?.compactMap { $0["step"]?.int } == [7])
  }

  @Test func theRateIsLowerFromThereOn() throws {
    let (configuration, base) = (configuration(), try base())
    let path = folder.path("run")
    try train(
      configuration, base, to: path,
      gate: gate(.rollBack, configuration, divisor: 4, judge: atFullRate(6, configuration)))
    let rates = try lines(path + "/training.jsonl").compactMap { $0["learning_rate"]?.double }
    #expect(rates == [1e-2, 1e-2, 1e-2, 1e-2] + Array(repeating: 2.5e-3, count: 5))
    // The step of the alarm is that of checkpoint 6, which was not written: 4 is the last before it.
    let deed = try #require(try interventions(path).first)
    #expect(deed["to"]?.int == 4 && deed["records"]?.array?.compactMap { $0["step"]?.int } == [5, 6])
  }

  /// Nothing is known before the first step, and the start is always kept.
  @Test func itGoesBackToTheStart() throws {
    let (configuration, base) = (configuration(), try base())
    let path = folder.path("run")
    try train(
      configuration, base, to: path,
      gate: gate(.rollBack, configuration, divisor: 2, judge: atFullRate(1, configuration)))
    var slower = configuration
    slower.learningRate /= 2
    try train(slower, base, to: folder.path("slower"))
    #expect(try content(path) == content(folder.path("slower")))
  }

  @Test func aRefusedUpdateIsTakenBack() throws {
    var (configuration, base) = (configuration(.adalora), try base())
    configuration.checkpointEvery = 1
    let path = folder.path("run")
    // Alarmed of the fourth update as long as it is there.
    let gate = gate(.refuse, configuration) { run in
      run.timeline["step_norm"].points.contains { $0.step == 4 } ? Self.alarm(4) : nil
    }
    func state(_ step: Int) throws -> TrainingState {
      try ResumeFile.read(from: path + String(format: "/resume/%08d.h5", step), step: step)
    }
    try train(configuration, base, to: path, gate: gate, until: { $0 >= 3 })
    let (before, after) = (try state(3), try state(4))
    try train(configuration, base, to: path, gate: gate, until: { $0 >= 4 })
    let next = try state(5)
    #expect(try train(configuration, base, to: path, gate: gate) == .finished)
    let run = try RunFolder(path: path)
    #expect(try run.snapshot(at: 4).modules == run.snapshot(at: 3).modules)
    #expect(try run.snapshot(at: 5).modules != run.snapshot(at: 3).modules)
    // The optimiser's moments and step count, and AdaLoRA's importances, are taken back with the weights.
    #expect(after.optimizer == before.optimizer && after.allocator == before.allocator)
    #expect(before.allocator != nil && next.optimizer.stepCount == before.optimizer.stepCount + 1)
    #expect(after.interventions == 1 && before.interventions == 0)
    let records = try lines(path + "/training.jsonl")
    #expect(records[4]["refused"]?.int == 1 && records[4]["step_norm"] == nil && records[4]["reward"] != nil)
    #expect(records[5]["refused"] == nil && records[5]["step_norm"]?.double.map { $0 > 0 } == true)
    let deed = try #require(try interventions(path).first)
    #expect(deed["action"]?.string == "refuse" && deed["records"]?.array?.first?["step_norm"] != nil)
  }

  @Test func itStopsBeforeTheNextRollout() throws {
    let (configuration, base) = (configuration(), try base())
    let path = folder.path("run")
    let ending = try train(
      configuration, base, to: path, gate: gate(.stop, configuration, judge: atFullRate(5, configuration)))
    #expect(ending == .stoppedByObserver(step: 5))
    #expect(try RunFolder(path: path).steps == [0, 2, 4, 5])
    #expect(try interventions(path).first?["action"]?.string == "stop")
  }

  /// Wherever it is interrupted, a gated run comes to the same end, and its deeds are told once.
  @Test(arguments: [1, 3, 4, 5, 6, 7, 8])
  func anInterruptionLosesNothing(step: Int) throws {
    let (configuration, base) = (configuration(.pissa), try base())
    func gate() -> TrainingGate {
      self.gate(.rollBack, configuration, divisor: 4, judge: atFullRate(6, configuration))
    }
    try train(configuration, base, to: folder.path("whole"), gate: gate())
    let path = folder.path("killed")
    try train(configuration, base, to: path, gate: gate(), until: { $0 >= step - 1 })
    try train(configuration, base, to: path, gate: gate())
    #expect(try content(path) == content(folder.path("whole")))
    #expect(try interventions(path).count == 1)
  }

  /// Wherever a run is interrupted that refuses an update, what it has refused stays refused, and is told once.
  @Test(arguments: 1...8) func anInterruptionForgetsNoRefusal(step: Int) throws {
    let (configuration, base) = (configuration(), try base())
    func gate() -> TrainingGate {
      self.gate(.refuse, configuration) { run in
        run.timeline["step_norm"].points.contains { [3, 6].contains($0.step) } ? Self.alarm(6) : nil
      }
    }
    try train(configuration, base, to: folder.path("whole"), gate: gate())
    let path = folder.path("killed")
    try train(configuration, base, to: path, gate: gate(), until: { $0 >= step - 1 })
    try train(configuration, base, to: path, gate: gate())
    #expect(try content(path) == content(folder.path("whole")))
    #expect(try interventions(path).map { $0["step"]?.int } == [3, 6])
    #expect(try lines(path + "/training.jsonl").compactMap { $0["refused"] == nil ? nil : $0["step"]?.int } == [3, 6])
  }

  /// Stopped is ended, on a scheduled checkpoint or beside one; interrupted is not.
  @Test(arguments: [4, 5, 9]) func aStoppedRunHasEnded(step: Int) throws {
    let (configuration, base) = (configuration(), try base())
    func state(_ path: String) throws -> RunOutcome.State {
      try RunOutcome.state(of: path, configuration, baseID: "base")
    }
    let (stopped, interrupted) = (folder.path("stopped"), folder.path("interrupted"))
    try train(
      configuration, base, to: stopped, gate: gate(.stop, configuration, judge: atFullRate(step, configuration)))
    #expect(try state(stopped).outcome?.steps == step)
    #expect(
      Intervention.stop(behind: step, in: stopped)?.text
        == "stopped behind step \(step). SP201 update-velocity: too far")
    #expect(Intervention.stop(behind: step - 1, in: stopped) == nil)
    if step == 9 { return }
    try train(configuration, base, to: interrupted, until: { $0 >= step - 1 })
    #expect(try state(interrupted) == .unfinished && Intervention.stop(behind: step, in: interrupted) == nil)
  }

  /// What was known of the weights that were taken back is gone with them.
  @Test func noAnalysisOutlivesWhatItIsOf() throws {
    let (configuration, base) = (configuration(), try base())
    let path = folder.path("run")
    let names = ["analysis.h5", "findings.json"]
    try train(
      configuration, base, to: path,
      gate: gate(.rollBack, configuration, divisor: 4) { run in
        if run.timeline.records.last?.step == 6 {
          for name in names { _ = FileManager.default.createFile(atPath: path + "/" + name, contents: Data()) }
        }
        return atFullRate(7, configuration)(run)
      })
    #expect(names.allSatisfy { !FileManager.default.fileExists(atPath: path + "/" + $0) })
    #expect(Intervention.learningRate(in: path) == 2.5e-3)
  }

  /// A packed run has its policy and what its gate did.
  @Test func thePackHasTheGate() throws {
    let (configuration, base) = (configuration(), try base())
    let (path, copy) = (folder.path("run"), folder.path("copy"))
    try train(
      configuration, base, to: path,
      gate: gate(.rollBack, configuration, divisor: 4, judge: atFullRate(7, configuration)))
    try RunPack.write(path, to: folder.path("run.pack"))
    try RunPack.unpack(folder.path("run.pack"), to: copy)
    for name in ["policy.yaml", "interventions.jsonl"] {
      #expect(
        try String(contentsOfFile: copy + "/" + name, encoding: .utf8)
          == String(contentsOfFile: path + "/" + name, encoding: .utf8))
    }
    #expect(try RunPolicy(ofRun: copy) == .standard)
  }

  /// A gate that goes back can go back to any checkpoint; others keep what going on needs.
  @Test(arguments: TrainingGate.Options.Action.allCases) func whatIsKept(action: TrainingGate.Options.Action) throws {
    let (configuration, base) = (configuration(), try base())
    try train(configuration, base, to: folder.path("run"), gate: gate(action, configuration) { _ in nil })
    let kept = try FileManager.default.contentsOfDirectory(atPath: folder.path("run/resume")).sorted()
    let steps = action == .rollBack ? [0, 2, 4, 6, 8, 9] : [8, 9]
    #expect(kept == steps.map { String(format: "%08d.h5", $0) })
  }

  /// Checkpoints go before records do: what a kill in between leaves can be gone on from, to the start if need be.
  @Test(arguments: [0, 2, 4]) func aKillWhileGoingBackLosesNothing(target: Int) throws {
    let (configuration, base) = (configuration(), try base())
    let silent = gate(.rollBack, configuration) { _ in nil }
    let path = folder.path("run")
    try train(configuration, base, to: path, gate: silent)
    let whole = try content(path)
    for step in try RunFolder(path: path).steps where step > target {
      let name = String(format: "%08d.h5", step)
      for place in ["checkpoints", "resume"] { try FileManager.default.removeItem(atPath: "\(path)/\(place)/\(name)") }
    }
    try train(configuration, base, to: path, gate: silent)
    #expect(try content(path) == whole)
  }

  /// The gate knows in time what the verdict on the files would know: of every step's records, up to it.
  @Test(arguments: [AdapterMethod.lora, .pissa])
  func theGateSeesWhatTheVerdictSees(method: AdapterMethod) throws {
    var (configuration, base) = (configuration(method), try base())
    (configuration.steps, configuration.checkpointEvery) = (12, 12)
    (configuration.learningRate, configuration.prompts) = (method == .lora ? 0.05 : 0.01, 16)
    try train(configuration, base, to: folder.path("free"))
    let records = try RunFolder(path: folder.path("free")).records().records.map(Timeline.Record.init)
    let setup = RunSetup(identity(configuration))
    let expected = records.indices.first { index in
      !Verdict(on: RunEvidence(rows: [], timeline: Timeline(Array(records[...index])), setup: setup)).alerts.isEmpty
    }
    try #require(expected != nil)
    let path = folder.path("gated")
    let ending = try train(configuration, base, to: path, gate: TrainingGate(GatePolicy(), setup: setup))
    #expect(ending == .stoppedByObserver(step: records[expected!].step))
    #expect(try interventions(path).first?["finding"]?["severity"]?.string == "alert")
  }
}
