import Measurement
import RunStore
import Training
import Weights

/// One training run from the command line: its base, its run folder, and the wish to stop.
struct TrainingSession {
  let configuration: TrainingConfiguration
  let out: String
  let threads: Int
  /// The base of the configuration where it is in memory already.
  let base: LoadedBase?

  init(_ configuration: TrainingConfiguration, out: String, threads: Int, base: LoadedBase? = nil) {
    self.configuration = configuration
    self.out = out
    self.threads = threads
    self.base = base
  }

  /// Trains, with every record shown once it is written.
  func run(report: @escaping (TrainingRecord) -> Void) throws -> Trainer.Ending {
    let base = try base ?? LoadedBase(configuration.base)
    let identity = RunIdentity(configuration, baseID: base.id, createdBy: "spectroscope \(programVersion)")
    let recorder = RunRecorder(path: out, identity: identity, report: report)
    let trainer = try Trainer(configuration, base: base.model, threads: threads, observer: recorder)
    return try trainer.run { Interruption.isWished }
  }
}
