import Measurement
import RunStore
import Training
import Weights

/// One training run from the command line: its base, its run folder, and the wish to stop.
struct TrainingSession {
  let configuration: TrainingConfiguration
  let out: String
  let threads: Int

  init(_ configuration: TrainingConfiguration, out: String, threads: Int) {
    self.configuration = configuration
    self.out = out
    self.threads = threads
  }

  /// Trains, with every record shown once it is written.
  func run(report: @escaping (TrainingRecord) -> Void) throws -> Trainer.Ending {
    let folder = try BaseLocation.folder(for: configuration.base)
    let base = try PretrainedModel(path: folder)
    var configuration = configuration
    let task = try configuration.openTask(for: base)
    let identity = RunIdentity(
      configuration, baseID: try BaseIdentity.sha256(of: BaseModel(path: folder)),
      createdBy: "spectroscope \(programVersion)")
    let recorder = RunRecorder(path: out, identity: identity, report: report)
    let trainer = try Trainer(configuration, base: base, task: task, threads: threads, observer: recorder)
    return try trainer.run { Interruption.isWished }
  }
}
