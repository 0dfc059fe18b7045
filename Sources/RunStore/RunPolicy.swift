import Diagnosis
import Foundation
import Weights

/// The policy of a run's own gate, with the text that says it, which the run folder keeps: `--resume` goes on under it.
package struct RunPolicy: Equatable, Sendable {
  package let policy: GatePolicy
  let text: String

  /// Stop at an alert.
  package static let standard = RunPolicy(policy: GatePolicy(), text: "version: 1\n")

  private init(policy: GatePolicy, text: String) { (self.policy, self.text) = (policy, text) }

  /// Throws as `PolicyFile.read` does.
  package init(path: String) throws(FileError) {
    text = try PolicyFile.text(of: path)
    policy = try PolicyFile.policy(in: text, path: path)
  }

  /// The one that the run in a folder was begun under; nil for a run without a gate.
  ///
  /// - Throws: `.badContent` where it has been changed to something that is no policy.
  package init?(ofRun folder: String) throws(FileError) {
    let path = folder + "/" + RunLayout.policy
    guard FileManager.default.fileExists(atPath: path) else { return nil }
    try self.init(path: path)
  }

  func write(toRun folder: String) throws(FileError) {
    try PendingFile.write(text, to: folder + "/" + RunLayout.policy)
  }
}
