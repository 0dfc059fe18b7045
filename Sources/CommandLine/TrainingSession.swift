import Diagnosis
import Measurement
import OrderedCollections
import RunStore
import Training
import Weights

/// One training run from the command line: its base, its run folder, and the wish to stop.
struct TrainingSession {
  let configuration: TrainingConfiguration
  let out: String
  let threads: Int
  /// True for a run that its folder holds the beginning of.
  let resumes: Bool
  /// Whether such a run may begin again where nothing is left to go on from.
  let beginsAgain: Bool
  /// The base of the configuration where it is in memory already.
  let base: LoadedBase?
  /// The gate between each update and the next rollout, of the run's setup; nil for none.
  let gate: ((RunSetup) -> TrainingGate)?
  /// What that gate is of, where it is a policy's.
  let policy: RunPolicy?

  init(
    _ configuration: TrainingConfiguration, out: String, threads: Int, resumes: Bool = false, beginsAgain: Bool = false,
    base: LoadedBase? = nil, policy: RunPolicy? = nil, gate: ((RunSetup) -> TrainingGate)? = nil
  ) {
    self.configuration = configuration
    self.out = out
    self.threads = threads
    self.resumes = resumes
    self.beginsAgain = beginsAgain
    self.base = base
    self.policy = policy
    self.gate = gate ?? policy.map { policy in { TrainingGate(policy.policy, setup: $0) } }
  }

  /// Trains, with every record and every deed of the gate told once it is written.
  func run(_ listeners: RunRecorder.Listeners) throws -> Trainer.Ending {
    let base = try base ?? LoadedBase(configuration.base)
    var configuration = configuration
    let task = try configuration.openTask(for: base.model)
    if resumes, let name = configuration.differences(from: self.configuration).first {
      throw FileError(
        .badContent, path: configuration.task,
        "expected the file that the run in \(out) was begun with, found another "
          + name, remedy: "Put that file back")
    }
    let identity = RunIdentity(configuration, baseID: base.id, createdBy: "spectroscope \(programVersion)")
    var setup = RunSetup(identity)
    setup.largestOrder = base.model.layout.largestOrder
    let gate = gate?(setup)
    let recorder: RunRecorder
    var point: ResumePoint?
    if resumes {
      (recorder, point) = try RunRecorder.resuming(
        out, expected: identity, beginsAgain: beginsAgain, gate: gate, listeners: listeners)
    } else {
      recorder = RunRecorder(path: out, identity: identity, gate: gate, policy: policy, listeners: listeners)
    }
    let trainer = try Trainer(configuration, base: base.model, task: task, threads: threads, observer: recorder)
    if let point { try trainer.restore(point.state, from: point.snapshot, initial: point.initial) }
    return try trainer.run { Interruption.isWished }
  }

  /// The configuration of the run in a folder.
  ///
  /// - Throws: `FileError` where there is none that can be read.
  static func configuration(ofRun out: String) throws -> TrainingConfiguration {
    let identity = try RunFolder(path: out).identity
    var configuration = TrainingConfiguration()
    do throws(ConfigurationError) {
      try configuration.take(identity.configuration.object ?? [:])
    } catch {
      throw error.fileError(run: out)
    }
    return configuration
  }
}

extension ConfigurationError {
  fileprivate func fileError(run: String) -> FileError {
    let problem =
      switch self {
      case .unknownName(let name): "expected members that this version knows, found \(FileError.quoted(name))"
      case .wrongValue(let name, let value): "expected another value of \(name), found \(value)"
      }
    return FileError(.badContent, path: run, object: "its configuration", problem)
  }
}
