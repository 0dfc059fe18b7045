import Diagnosis
import OrderedCollections

/// A threshold for each signal by itself, as one would set it who has nothing but that signal and the calibration half: what one in a hundred
/// healthy runs exceeds.
package struct SignalThresholds: Sendable {
  package let values: [(signal: Signal, threshold: Double)]

  /// - Parameter rows: of the calibration half.
  package init(_ rows: [CorpusRow]) {
    values = Signal.allCases.compactMap { signal in
      let healthy = rows.filter(\.isHealthy).compactMap { $0.signals[signal.rawValue] }.sorted()
      return healthy.isEmpty ? nil : (signal, healthy[healthy.count - 1 - healthy.count / 100])
    }
  }
}
