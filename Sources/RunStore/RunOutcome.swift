import Adapters
import Diagnosis
import Foundation
import OrderedCollections
import Training
import Weights

/// How a finished run ended, from its folder alone.
package struct RunOutcome: Equatable, Sendable {
  package var method: String
  package var learningRate: Double
  package var seed: Int
  /// Nil for methods without one.
  package var rank: Int?
  package var base: String
  /// The steps done: fewer than were configured where the run ended early, for having no reward any more.
  package var steps: Int
  package var startAccuracy: Double
  package var finalAccuracy: Double
  package var retention: Double?
  package var label: RunLabel
  /// What its steps took, without the start.
  package var seconds: Double

  package init(
    method: String, learningRate: Double, seed: Int, rank: Int?, base: String, steps: Int, startAccuracy: Double,
    finalAccuracy: Double, retention: Double?, label: RunLabel, seconds: Double
  ) {
    (self.method, self.learningRate, self.seed) = (method, learningRate, seed)
    (self.rank, self.base, self.steps) = (rank, base, steps)
    (self.startAccuracy, self.finalAccuracy) = (startAccuracy, finalAccuracy)
    (self.retention, self.label, self.seconds) = (retention, label, seconds)
  }

  private init?(_ identity: RunIdentity, _ configuration: TrainingConfiguration, _ records: [TrainingRecords.Record]) {
    func values(_ column: String) -> [Double] { records.compactMap { $0.values[column] ?? nil } }
    let accuracies = values("accuracy")
    guard let start = accuracies.first, let end = accuracies.last, let last = records.last,
      let label = RunLabel(accuracies: accuracies, retention: values("retention").last)
    else { return nil }
    self.init(
      method: Self.methodName(
        configuration.method, start: (configuration.adapter.directions, configuration.adapter.magnitudes)),
      learningRate: configuration.learningRate, seed: identity.seed, rank: identity.rank,
      base: identity.base, steps: last.step, startAccuracy: start, finalAccuracy: end,
      retention: values("retention").last, label: label, seconds: values("seconds").reduce(0, +))
  }
}

extension RunOutcome {
  /// A method by the name of its runs: `svd` has its directions and magnitudes in it, `svd-top-bottom`.
  package static func methodName(
    _ method: AdapterMethod, start: (directions: SVDDirections, magnitudes: SVDMagnitudes)?
  ) -> String {
    guard method == .svd, let start else { return method.rawValue }
    return "\(method.rawValue)-\(start.directions.rawValue)-\(start.magnitudes.rawValue)"
  }

  /// What a folder holds of a run that is wished.
  package enum State: Equatable, Sendable {
    /// No run.
    case absent
    /// The run, but not its end, or damage.
    case unfinished
    case finished(RunOutcome)

    package var outcome: RunOutcome? { if case .finished(let outcome) = self { outcome } else { nil } }
  }

  /// Looks at the folder of a run of that configuration.
  ///
  /// A run is finished if its last record is of the last step, or of a step at which it ended early by its own rule or its gate stopped it, and the
  /// checkpoint of that step is sound.
  ///
  /// - Throws: `.cannotCreate` where the folder holds another run; `FileError` where it holds one of which nothing can be read.
  package static func state(
    of path: String, _ configuration: TrainingConfiguration, baseID: String
  ) throws(FileError) -> State {
    guard RunFolder.isRun(at: path) else { return .absent }
    let folder = try RunFolder(path: path)
    try check(folder, configuration, baseID)
    guard folder.indexError == nil, let records = try? folder.records().records, let last = records.last,
      last.step == configuration.steps || hasEndedEarly(records, configuration)
        || Intervention.stop(behind: last.step, in: path) != nil,
      folder.steps.last == last.step, (try? folder.snapshot(at: last.step)) != nil,
      let outcome = RunOutcome(folder.identity, configuration, records), last.values["accuracy"] != nil
    else { return .unfinished }
    return .finished(outcome)
  }

  private static func hasEndedEarly(
    _ records: [TrainingRecords.Record], _ configuration: TrainingConfiguration
  ) -> Bool {
    var patience = RewardPatience(configuration)
    var isOver = false
    for record in records where record.step > 0 { isOver = patience.isOver(reward: record.values["reward"] ?? nil) }
    return isOver
  }

  private static func check(
    _ folder: RunFolder, _ configuration: TrainingConfiguration, _ baseID: String
  ) throws(FileError) {
    let (found, wished) = (folder.identity.configuration, configuration.json)
    let names = (wished.object ?? [:]).keys.filter { wished[$0]?.text() != found[$0]?.text() }
    let difference: String
    if let name = names.first {
      difference = "\(name) \(wished[name]?.text() ?? "none"), found one with \(found[name]?.text() ?? "none")"
    } else if folder.identity.baseID != baseID {
      difference =
        "the base \(FileError.head(ofDigest: baseID)), found one on "
        + FileError.head(ofDigest: folder.identity.baseID)
    } else {
      return
    }
    throw FileError(
      .cannotCreate, path: folder.path, "expected a run with \(difference)",
      remedy: "Name another folder for this grid, or delete the run if it is not needed")
  }
}
