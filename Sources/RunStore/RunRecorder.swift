import Adapters
import Foundation
import Training
import Weights

/// Writes a run folder from what a training run tells.
package final class RunRecorder: TrainingObserver {
  private let path: String
  private let identity: RunIdentity
  private var writer: RunWriter?
  private let report: (TrainingRecord) -> Void

  /// The folder is made when training starts.
  ///
  /// - Parameter report: called with every record, once it is written.
  package init(path: String, identity: RunIdentity, report: @escaping (TrainingRecord) -> Void = { _ in }) {
    self.path = path
    self.identity = identity
    self.report = report
  }

  /// Goes on with the run in a folder.
  ///
  /// - Parameter expected: what the run must be.
  /// - Parameter beginsAgain: whether it may begin again where none of its checkpoints has a sound state, which then are lost.
  /// - Returns: the recorder, and the checkpoint to go on from; nil where the run begins again.
  /// - Throws: `FileError` where the run cannot be read or written, is another, or is being written.
  package static func resuming(
    _ path: String, expected: RunIdentity, beginsAgain: Bool = false,
    report: @escaping (TrainingRecord) -> Void = { _ in }
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
    let recorder = RunRecorder(path: path, identity: folder.identity, report: report)
    // A run without a point begins with the record of step 0.
    recorder.writer = try RunWriter(continuing: path, behind: point?.state.step ?? -1)
    return (recorder, point)
  }

  package func didStart(_ start: AdapterSnapshot) throws(FileError) {
    // A run that begins again has its folder already.
    if writer != nil { return }
    writer = try RunWriter(
      creating: path, identity: identity, initial: start, wallTime: Date().timeIntervalSince1970)
  }

  package func didFinish(_ record: TrainingRecord) throws(FileError) {
    try writer?.append(record.json)
    report(record)
  }

  package func willReachCheckpoint(_ state: TrainingState) throws(FileError) { try writer?.write(state) }

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
