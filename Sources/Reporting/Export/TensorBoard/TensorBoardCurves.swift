import Foundation
import OrderedCollections
import RunStore
import Spectra

/// What TensorBoard is given of an analysis: what one wants to look at during a run, not every number there is. A tag's first part is its
/// group on the page:
///
/// - `train/<column>`: the columns of training;
/// - `median/<delta>/<metric>`: the headline metrics, the median over all modules;
/// - `<module>/<delta>/<metric>`: a few metrics of each module, and its own columns of training as `<module>/train/<column>`;
/// - `singular_values_log10/<delta>`: histograms over all modules.
struct TensorBoardCurves {
  /// A page with more groups is of no use.
  private static let mostModules = 200
  private static let headlines: [Metric] = [
    .relativeNorm, .spectralNorm, .effectiveRank, .stableRank, .leftEnergyTop, .rightEnergyTop, .leftOverlap,
    .rightOverlap, .leftRotationMax, .rightRotationMax, .spectralShift, .intruderCount, .updateVelocity,
    .shiftVelocity, .rotationVelocity,
  ]
  private static let ofModules: [Delta: [Metric]] = [
    .initial: [.relativeNorm, .effectiveRank, .stableRank, .rightEnergyTop], .previous: [.updateVelocity],
  ]

  /// In ascending order.
  let steps: [Int]
  private let rows: [Int: [SpectrumRow]]
  private let training: [Int: TrainingRecords.Record]
  private let modules: Set<String>
  /// The common logarithms of all singular values, by delta.
  private let ranges: [Delta: ClosedRange<Double>]

  init(_ analysis: Analysis, training: TrainingRecords?) {
    let records = training?.records ?? []
    rows = Dictionary(grouping: analysis.rows, by: \.step)
    self.training = Dictionary(records.map { ($0.step, $0) }, uniquingKeysWith: { _, last in last })
    steps = Set(rows.keys).union(records.map(\.step)).sorted()
    modules = Set(ModulePlace.selected(Self.mostModules, of: analysis))
    var ranges: [Delta: ClosedRange<Double>] = [:]
    for row in analysis.rows {
      for value in Self.logarithms(row) {
        let known = ranges[row.delta] ?? value...value
        ranges[row.delta] = min(known.lowerBound, value)...max(known.upperBound, value)
      }
    }
    self.ranges = ranges
  }

  /// What the file begins with.
  var start: [UInt8] { EventRecord.start(wallTime: 0) }

  func record(at step: Int) -> EventRecord {
    // An analysis knows no times: a step stands for a second, so that TensorBoard's relative time counts steps.
    var record = EventRecord(step: step, wallTime: Double(step))
    if let training = training[step] { add(training, to: &record) }
    for (delta, rows) in Dictionary(grouping: rows[step] ?? [], by: \.delta).sorted(by: { $0.key < $1.key }) {
      addMedians(of: rows, delta, to: &record)
      for row in rows where modules.contains(row.module) { add(row, to: &record) }
      addHistogram(of: rows, delta, to: &record)
    }
    return record
  }

  private func add(_ training: TrainingRecords.Record, to record: inout EventRecord) {
    for case (let column, let value?) in training.values { record.add(value, for: "train/\(column)") }
    for (column, series) in training.series {
      for case (let module, let value?) in series where modules.contains(module) {
        record.add(value, for: "\(module)/train/\(column)")
      }
    }
  }

  private func addMedians(of rows: [SpectrumRow], _ delta: Delta, to record: inout EventRecord) {
    for metric in Self.headlines {
      guard let median = AnalysisSummary.median(rows.compactMap { $0.finite(metric) }) else { continue }
      record.add(median, for: "median/\(delta.rawValue)/\(metric.rawValue)")
    }
  }

  private func add(_ row: SpectrumRow, to record: inout EventRecord) {
    for metric in Self.ofModules[row.delta] ?? [] {
      guard let value = row.finite(metric) else { continue }
      record.add(value, for: "\(row.module)/\(row.delta.rawValue)/\(metric.rawValue)")
    }
  }

  private func addHistogram(of rows: [SpectrumRow], _ delta: Delta, to record: inout EventRecord) {
    let values = rows.flatMap(Self.logarithms)
    guard let range = ranges[delta], !values.isEmpty else { return }
    record.add(EventRecord.Histogram(tag: "singular_values_log10/\(delta.rawValue)", values: values, range: range))
  }

  /// Of the values that arithmetic can tell from zero.
  private static func logarithms(_ row: SpectrumRow) -> [Double] { row.significantValues.map(log10) }
}
