import Diagnosis
import Foundation
import OrderedCollections
import Weights

/// One time that the gate acted on the run's own alarm: one line of `interventions.jsonl`.
///
/// Whatever it took back is kept here: the records of the steps that a rollback undid, or that of the step whose update was refused.
package struct Intervention: Equatable, Sendable {
  /// The step whose update it followed.
  package var step: Int
  package var alarm: TrainingGate.Alarm
  package var deed: Deed
  /// What was undone, as `training.jsonl` would have it.
  package var records: [JSONValue]

  package enum Deed: Equatable, Sendable {
    /// - Parameter reason: why it stopped where the policy would take something back.
    case stopped(reason: String?)
    case refused
    /// - Parameter learningRate: the configured one from there on.
    case rolledBack(to: Int, learningRate: Double)

    var name: String {
      switch self {
      case .stopped: TrainingGate.Options.Action.stop.rawValue
      case .refused: TrainingGate.Options.Action.refuse.rawValue
      case .rolledBack: TrainingGate.Options.Action.rollBack.rawValue
      }
    }
  }

  package init(step: Int, alarm: TrainingGate.Alarm, deed: Deed, records: [JSONValue] = []) {
    (self.step, self.alarm, self.deed, self.records) = (step, alarm, deed, records)
  }

  /// In a line, for people.
  package var text: String {
    let cause = "\(alarm.finding.code) \(alarm.finding.name): \(alarm.finding.message)"
    return switch deed {
    case .stopped(let reason): "stopped behind step \(step)" + (reason.map { ", because \($0)" } ?? "") + ". \(cause)"
    case .refused: "refused the update of step \(step). \(cause)"
    case .rolledBack(let target, let rate):
      "went back from step \(step) to \(target), and on at the learning rate \(rate.brief). \(cause)"
    }
  }

  private func json(path: String) throws(FileError) -> JSONValue {
    var object: OrderedDictionary<String, JSONValue> = ["step": .integer(step), "action": .string(deed.name)]
    switch deed {
    case .stopped(let reason): object["reason"] = reason.map(JSONValue.string)
    case .refused: break
    case .rolledBack(let target, let rate): (object["to"], object["learning_rate"]) = (.integer(target), .number(rate))
    }
    object["finding"] = try FindingsJSON.value(of: alarm.finding, path: path)
    if !records.isEmpty { object["records"] = .array(records) }
    return .object(object)
  }

  // MARK: - The file

  /// Appends it to the file of a run folder; throws `.cannotCreate` or `.cannotWrite`.
  func append(in folder: String) throws(FileError) {
    let path = folder + "/" + RunLayout.interventions
    let file = try AppendedFile(path: path)
    try file.append(json(path: path).text() + "\n")
    try file.synchronize()
  }

  /// How often the gate of a run has acted.
  package static func count(in folder: String) throws(FileError) -> Int { try lines(in: folder).count }

  /// The stop behind a step, as it was said then; nil where the gate of the run did not stop it there.
  package static func stop(behind step: Int, in folder: String) -> Intervention? {
    guard let last = deeds(in: folder).last, last["action"]?.string == TrainingGate.Options.Action.stop.rawValue,
      last["step"]?.int == step, let finding = last["finding"],
      let read = try? FindingsJSON.findings(in: JSONValue.array([finding]).text(), path: folder), read.count == 1
    else { return nil }
    return Intervention(
      step: step, alarm: TrainingGate.Alarm(read[0], firstSickStep: read[0].step ?? 0),
      deed: .stopped(reason: last["reason"]?.string))
  }

  /// The learning rate that a run is configured with since its gate last went back; nil where it never did.
  package static func learningRate(in folder: String) -> Double? {
    deeds(in: folder).reversed().lazy.compactMap { $0["learning_rate"]?.double }.first
  }

  private static func deeds(in folder: String) -> [JSONValue] {
    ((try? lines(in: folder)) ?? []).compactMap { try? JSONValue(parsing: Array($0)) }
  }

  private static func lines(in folder: String) throws(FileError) -> [ArraySlice<UInt8>] {
    let path = folder + "/" + RunLayout.interventions
    guard FileManager.default.fileExists(atPath: path) else { return [] }
    let file = try PositionedFile(path: path)
    return try file.read(file.size, at: 0).split(separator: UInt8(ascii: "\n"))
  }

  /// Leaves the first so many in the file of a run folder.
  static func keep(_ count: Int, in folder: String) throws(FileError) {
    let path = folder + "/" + RunLayout.interventions
    guard FileManager.default.fileExists(atPath: path) else { return }
    let file = try AppendedFile(path: path)
    try file.cutTornLine()
    var left = count
    try file.cut { _ in
      left -= 1
      return left >= 0
    }
  }
}
