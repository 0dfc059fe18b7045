import Foundation
import OrderedCollections
import RunStore
import Weights

/// How far a run is, by its records alone: whether its process lives is not known.
struct RunProgress {
  private let step: Int
  private let steps: Int?
  private let hasStopped: Bool
  private let lastChange: Date
  private let secondsPerStep: Double

  /// Nil where there are no records.
  init?(ofRun path: String) {
    let file = path + "/" + RunLayout.records
    guard let records = try? TrainingRecords(path: file).records, let last = records.last,
      let change = (try? FileManager.default.attributesOfItem(atPath: file))?[.modificationDate] as? Date
    else { return nil }
    let seconds = records.suffix(20).compactMap { $0.values["seconds"] ?? nil }
    step = last.step
    steps = try? RunFolder(path: path).identity.configuration["steps"]?.int
    hasStopped = Intervention.stop(behind: last.step, in: path) != nil
    lastChange = change
    secondsPerStep = seconds.isEmpty ? 0 : seconds.reduce(0, +) / Double(seconds.count)
  }

  func text(now: Date) -> String {
    let place = "step \(step)" + (steps.map { " of \($0)" } ?? "")
    if hasStopped { return "\(place), stopped by its gate" }
    if step == steps { return "\(place), ended" }
    let isSilent = now.timeIntervalSince(lastChange) > max(60, 20 * secondsPerStep)
    let time = lastChange.formatted(.dateTime.hour(.twoDigits(amPM: .omitted)).minute(.twoDigits).second(.twoDigits))
    return isSilent ? "\(place), no record since \(time)" : "\(place), going on"
  }
}
