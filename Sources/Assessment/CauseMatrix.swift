import Diagnosis
import OrderedCollections

/// What the verdict named as the cause of a collapse, against what a control run shows.
///
/// The controls `svd` begin in chosen directions of W₀ with chosen magnitudes. Where a run that begins in leading directions collapses, and the one
/// with the same magnitudes, rate and seed in random directions does not, directions brought it about; where both do, the size of the steps did.
package struct CauseMatrix: Equatable, Sendable {
  /// Runs by true cause and by what was named; nil for none.
  package private(set) var counts: OrderedDictionary<Cause, OrderedDictionary<String, Int>> = [:]

  package init(_ rows: [CorpusRow]) {
    let controls = rows.filter { $0.method.hasPrefix("svd-") }
    for row in controls where row.label == .collapsed {
      guard let cause = Self.cause(of: row, among: controls) else { continue }
      let named = row.cause?.rawValue ?? "none"
      counts[cause, default: [:]][named, default: 0] += 1
    }
  }

  package func count(_ cause: Cause, named: Cause?) -> Int { counts[cause]?[named?.rawValue ?? "none"] ?? 0 }
  package func total(_ cause: Cause) -> Int { counts[cause]?.values.reduce(0, +) ?? 0 }

  private static func cause(of row: CorpusRow, among controls: [CorpusRow]) -> Cause? {
    let parts = row.method.split(separator: "-")
    guard parts.count == 3 else { return nil }
    // Other directions than the leading ones are never the culprits.
    if parts[1] != "top" { return .stepSize }
    let twin = controls.first {
      $0.method == "svd-random-\(parts[2])" && $0.learningRate == row.learningRate && $0.seed == row.seed
        && $0.base == row.base
    }
    return twin.map { $0.label == .collapsed ? .stepSize : .direction }
  }
}
