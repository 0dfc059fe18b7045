import Diagnosis
import Spectra
import Weights

/// An analysis laid out over steps × modules, as files of dense arrays have it: row-major, NaN where there is nothing.
package struct AnalysisGrid: Sendable {
  /// The rows of one delta with their places among steps × modules.
  package struct Rows: Sendable {
    package var delta: Delta
    package var places: [(position: Int, row: SpectrumRow)]

    /// The metrics that any row has.
    package var metrics: [Metric] {
      Metric.allCases.filter { metric in places.contains { $0.row.metrics[metric] != nil } }
    }
  }

  /// In ascending order.
  package let steps: [Int]
  /// In natural order; those of W₀ among them.
  package let modules: [String]
  /// The deltas that have rows, in their own order.
  package let deltas: [Rows]

  /// Throws where two rows would have one place; `path` is for messages.
  package init(_ analysis: Analysis, path: String) throws(FileError) {
    let steps = Set(analysis.rows.map(\.step)).sorted()
    let modules = Set(analysis.rows.map(\.module)).union(analysis.baseNorms.keys).union(analysis.baseValues.keys)
      .sorted(by: NaturalOrder.precedes)
    let stepPosition = Dictionary(uniqueKeysWithValues: zip(steps, steps.indices))
    let modulePosition = Dictionary(uniqueKeysWithValues: zip(modules, modules.indices))
    var places: [Delta: [(position: Int, row: SpectrumRow)]] = [:]
    var taken: [Delta: Set<Int>] = [:]
    for row in analysis.rows {
      let position = stepPosition[row.step]! * modules.count + modulePosition[row.module]!
      guard taken[row.delta, default: []].insert(position).inserted else {
        throw Self.refusal(of: row, "expected one row, found two", path: path)
      }
      places[row.delta, default: []].append((position, row))
    }
    (self.steps, self.modules) = (steps, modules)
    deltas = Delta.allCases.compactMap { delta in places[delta].map { Rows(delta: delta, places: $0) } }
  }

  static func refusal(of row: SpectrumRow, _ problem: String, path: String) -> FileError {
    FileError(.cannotWrite, path: path, object: "\(row.module), step \(row.step), \(row.delta.rawValue)", problem)
  }

  /// steps × modules values.
  package func laidOut(_ rows: Rows, _ value: (SpectrumRow) -> Double?) -> [Double] {
    laidOut(rows, width: 1) { [value($0) ?? .nan] }
  }

  /// steps × modules × width values; NaN behind those of a row that has fewer.
  package func laidOut(_ rows: Rows, width: Int, _ values: (SpectrumRow) -> [Double]) -> [Double] {
    var result = Array(repeating: Double.nan, count: steps.count * modules.count * width)
    for (position, row) in rows.places {
      let found = values(row)
      result.replaceSubrange(position * width..<position * width + found.count, with: found)
    }
    return result
  }

  /// steps × modules texts; empty where there is no row.
  package func laidOut(_ rows: Rows, text: (SpectrumRow) -> String) -> [String] {
    var result = Array(repeating: "", count: steps.count * modules.count)
    for (position, row) in rows.places { result[position] = text(row) }
    return result
  }

  /// modules × width values of W₀, where W₀ has them, and the width.
  package func baseValues(of analysis: Analysis) -> (values: [Double], width: Int) {
    let spectra = modules.map { analysis.baseValues[$0] ?? [] }
    let width = spectra.map(\.count).max() ?? 0
    return (spectra.flatMap { $0 + Array(repeating: .nan, count: width - $0.count) }, width)
  }

  /// steps × modules × bins of one side: the shares, or what chance gives.
  package func profile(_ rows: Rows, _ side: Side, _ value: (ProfileBin) -> Double?) -> [Double] {
    let width = ProfileBin.count + 1
    return laidOut(rows, width: width) { row in
      var bins = Array(repeating: Double.nan, count: width)
      for bin in row.profile where bin.side == side { bins[bin.bin] = value(bin) ?? .nan }
      return bins
    }
  }
}
