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

  package func didStart(_ start: AdapterSnapshot) throws(FileError) {
    writer = try RunWriter(
      creating: path, identity: identity, initial: start, wallTime: Date().timeIntervalSince1970)
  }

  package func didFinish(_ record: TrainingRecord) throws(FileError) {
    try writer?.append(record.json)
    report(record)
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
    let isRanked = configuration.method != .full
    self.init(
      method: configuration.method.rawValue, rank: isRanked ? configuration.adapter.rank : nil,
      alpha: isRanked ? configuration.adapter.alpha : nil, scaling: isRanked ? configuration.adapter.scaling : nil,
      seed: configuration.seed, task: configuration.task, base: configuration.base, baseID: baseID,
      createdBy: createdBy, configuration: configuration.json)
  }
}
