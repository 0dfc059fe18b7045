import Adapters
import OrderedCollections
import RunStore
import Spectra

/// One run of a comparison: its analysis, and what else is known of it.
package struct ComparedRun: Sendable {
  package var name: String
  /// The file or folder that it was read from, for messages.
  package var path: String
  package var analysis: Analysis
  /// What training recorded; empty where only the analysis is known.
  package var records: TrainingRecords
  /// Where an `svd` run's factors begin; nil for other methods, and where it is not known.
  package var directions: SVDDirections?

  package init(
    name: String, path: String = "", analysis: Analysis, records: TrainingRecords, directions: SVDDirections? = nil
  ) {
    self.name = name
    self.path = path
    self.analysis = analysis
    self.records = records
    self.directions = directions
  }

  /// The method of most rows, by the contract's name: single modules of a run may be trained whole. Empty without rows.
  package var method: String {
    let counts = Dictionary(grouping: analysis.rows, by: \.method).mapValues(\.count)
    return counts.max { ($0.value, $1.key) < ($1.value, $0.key) }?.key ?? ""
  }

  /// The largest learning rate that was recorded, which is the nominal one of a run with a warm-up; nil where none was.
  package var learningRate: Double? {
    records.records.compactMap { $0.values["learning_rate"] ?? nil }.max()
  }

  /// A column of the record of one step; nil where it is undefined or not recorded.
  func recorded(_ column: String, at step: Int) -> Double? {
    records.records.first { $0.step == step }?.values[column] ?? nil
  }

  /// The mean of a column of the records behind one step, up to and with another.
  func mean(_ column: String, after: Int, through step: Int) -> Double? {
    let values = records.records.filter { $0.step > after && $0.step <= step }.compactMap { $0.values[column] ?? nil }
    return values.isEmpty ? nil : values.reduce(0, +) / Double(values.count)
  }
}

/// The steps that all runs have, in ascending order.
func commonSteps(_ runs: [some Sequence<Int>]) -> [Int] {
  guard let first = runs.first else { return [] }
  return runs.dropFirst().reduce(Set(first)) { $0.intersection($1) }.sorted()
}
