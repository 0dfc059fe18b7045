import Adapters
import Diagnosis
import Foundation
import Training
import Weights

/// Writes a run folder from what a training run tells, and obeys the run's gate where it has one.
package final class RunRecorder: TrainingObserver {
  /// Who wants to know what.
  package struct Listeners {
    /// Of every record, once it is written.
    package var record: (TrainingRecord) -> Void
    /// Of everything that the gate does, once it is written.
    package var intervention: (Intervention) -> Void

    package init(
      record: @escaping (TrainingRecord) -> Void = { _ in }, intervention: @escaping (Intervention) -> Void = { _ in }
    ) {
      (self.record, self.intervention) = (record, intervention)
    }
  }

  private let path: String
  private let identity: RunIdentity
  private var gate: TrainingGate?
  private let policy: RunPolicy?
  private var writer: RunWriter?
  private let listeners: Listeners

  /// The folder is made when training starts.
  ///
  /// - Parameter policy: what the gate is of, which the folder keeps.
  package init(
    path: String, identity: RunIdentity, gate: TrainingGate? = nil, policy: RunPolicy? = nil,
    listeners: Listeners = Listeners()
  ) {
    self.path = path
    self.identity = identity
    self.gate = gate
    self.policy = policy
    self.listeners = listeners
  }

  /// Goes on with the run in a folder.
  ///
  /// - Parameter expected: what the run must be.
  /// - Parameter beginsAgain: whether it may begin again where none of its checkpoints has a sound state, which then are lost.
  /// - Returns: the recorder, and the checkpoint to go on from; nil where the run begins again.
  /// - Throws: `FileError` where the run cannot be read or written, is another, or is being written.
  package static func resuming(
    _ path: String, expected: RunIdentity, beginsAgain: Bool = false, gate: TrainingGate? = nil,
    listeners: Listeners = Listeners()
  ) throws(FileError) -> (RunRecorder, ResumePoint?) {
    let folder = try RunFolder(path: path)
    guard folder.identity.baseID == expected.baseID else {
      throw FileError(
        .badContent, path: path,
        "expected a run on the base \(FileError.head(ofDigest: expected.baseID)), found one on "
          + FileError.head(ofDigest: folder.identity.baseID), remedy: "Give it the base that it was begun on")
    }
    let configuration = folder.identity.configuration
    let point = try ResumePoint.last(
      of: folder, every: configuration["checkpoint_every"]?.int, steps: configuration["steps"]?.int,
      beginsAgain: beginsAgain)
    let recorder = RunRecorder(path: path, identity: folder.identity, gate: gate, listeners: listeners)
    // A run without a point begins with the record of step 0.
    let writer = try RunWriter(
      continuing: path, behind: point?.state.step ?? -1, interventions: point?.state.interventions ?? 0)
    recorder.writer = writer
    if let state = point?.state {
      recorder.gate?.resume(
        try folder.records().records.map(Timeline.Record.init), rateFactor: state.rateFactor,
        interventions: state.interventions)
    }
    return (recorder, point)
  }

  package var mayRefuse: Bool { gate?.mayRefuse ?? false }

  package func didStart(_ start: AdapterSnapshot, state: TrainingState) throws(FileError) {
    // A run that begins again has its folder already.
    if writer == nil {
      writer = try RunWriter(
        creating: path, identity: identity, initial: start, policy: policy, wallTime: Date().timeIntervalSince1970)
    }
    if gate?.mayGoBack == true { try writer?.write(state) }
  }

  package func didUpdate(
    _ record: TrainingRecord, velocity: UpdateVelocity?
  ) throws(FileError) -> TrainingDirective {
    guard gate != nil, let writer else { return .goOn }
    let decision = try gate!.decide(on: try Timeline.Record(record, path: path)) { () throws(FileError) in
      try RunLayout.resumeSteps(in: path)
    }
    switch decision {
    case .goOn: return .goOn
    case .stop(let alarm, let reason):
      try note(Intervention(step: record.step, alarm: alarm, deed: .stopped(reason: reason)))
      return .stop
    case .refuse(let alarm):
      try note(Intervention(step: record.step, alarm: alarm, deed: .refused, records: [record.json]))
      return .refuse
    case .rollBack(let alarm, let target, let rateFactor):
      var state = try ResumeFile.read(from: path + "/" + RunLayout.resumeFile(target), step: target)
      (state.rateFactor, state.interventions) = (rateFactor, gate!.interventions)
      let snapshot = try RunFolder(path: path).snapshot(at: target)
      let rate = (identity.configuration["learning_rate"]?.double ?? .nan) * rateFactor
      try note(
        Intervention(
          step: record.step, alarm: alarm, deed: .rolledBack(to: target, learningRate: rate),
          records: try writer.lines(behind: target) + [record.json]))
      try writer.goBack(to: state)
      return .rollBack(state, snapshot)
    }
  }

  private func note(_ intervention: Intervention) throws(FileError) {
    try intervention.append(in: path)
    listeners.intervention(intervention)
  }

  package func didFinish(_ record: TrainingRecord) throws(FileError) {
    try writer?.append(record.json)
    listeners.record(record)
  }

  package func willReachCheckpoint(_ state: TrainingState) throws(FileError) {
    try writer?.write(state, keeping: gate?.mayGoBack == true ? nil : 2)
  }

  package func didReachCheckpoint(_ snapshot: AdapterSnapshot) throws(FileError) {
    try writer?.write(snapshot, wallTime: Date().timeIntervalSince1970)
  }
}

extension RunIdentity {
  /// The identity of a run of this configuration.
  ///
  /// - Parameter baseID: `BaseIdentity.sha256` of the base.
  package init(_ configuration: TrainingConfiguration, baseID: String, createdBy: String) {
    let (trained, adapter) = (configuration.method.trained!, configuration.resolvedAdapter)
    let scaling = trained.scaling(adapter)
    self.init(
      method: configuration.method.rawValue, rank: trained.isRanked ? adapter.rank : nil,
      alpha: scaling == nil ? nil : adapter.alpha, scaling: scaling, seed: configuration.seed, task: configuration.task,
      base: configuration.base, baseID: baseID,
      createdBy: createdBy, configuration: configuration.json)
  }
}
