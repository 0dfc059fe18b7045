/// What a trainer logged, by step: reward, KL, entropy and what else it has. Names are those of `training.csv`.
package struct Timeline: Equatable, Sendable {
  /// One step.
  package struct Record: Equatable, Sendable {
    package var step: Int
    /// Finite numbers by column.
    package var values: [String: Double]
    /// Columns whose number was NaN or infinite.
    package var nonFinite: Set<String>
    /// Finite numbers of single modules, by column and module.
    package var modules: [String: [String: Double]]

    package init(
      step: Int, values: [String: Double], nonFinite: Set<String> = [], modules: [String: [String: Double]] = [:]
    ) {
      self.step = step
      self.values = values
      self.nonFinite = nonFinite
      self.modules = modules
    }
  }

  /// By ascending step.
  package let records: [Record]
  private let columns: [String: Series]

  package init(_ records: [Record] = []) {
    let sorted = records.sorted { $0.step < $1.step }
    var columns: [String: Series] = [:]
    for record in sorted {
      for (column, value) in record.values {
        columns[column, default: Series()].points.append(Series.Point(step: record.step, value: value))
      }
    }
    (self.records, self.columns) = (sorted, columns)
  }

  package var isEmpty: Bool { records.isEmpty }

  /// The steps whose update the run's own gate took back, ascending.
  var refused: [Int] { self["refused"].points.filter { $0.value > 0 }.map(\.step) }

  /// The numbers of a column, without steps that have none.
  package subscript(column: String) -> Series {
    columns[column] ?? Series()
  }
}

/// A quantity over the steps of a run.
package struct Series: Equatable, Sendable {
  package struct Point: Equatable, Sendable {
    package var step: Int
    package var value: Double

    package init(step: Int, value: Double) {
      (self.step, self.value) = (step, value)
    }
  }

  /// By ascending step.
  package var points: [Point]

  package init(_ points: [Point] = []) { self.points = points }

  package var isEmpty: Bool { points.isEmpty }
  package var count: Int { points.count }
  package var values: [Double] { points.map(\.value) }
  package var last: Point? { points.last }
  package var maximum: Point? { points.max { $0.value < $1.value } }

  package func value(at step: Int) -> Double? {
    let index = points.partitioningIndex { $0.step >= step }
    return index < points.endIndex && points[index].step == step ? points[index].value : nil
  }

  /// The points up to and including `step`.
  package func upTo(_ step: Int) -> Series { Series(points.filter { $0.step <= step }) }

  package func map(_ change: (Point) -> Double?) -> Series {
    Series(points.compactMap { point in change(point).map { Point(step: point.step, value: $0) } })
  }

  /// At every point from the `width`-th on, what `summary` makes of it and the `width` − 1 before it.
  package func trailing(_ width: Int, _ summary: ([Double]) -> Double) -> Series {
    guard count >= width else { return Series() }
    return Series(
      (width...count).map { end in
        Point(step: points[end - 1].step, value: summary(points[end - width..<end].map(\.value)))
      })
  }

  /// The step of the point `count` points before that of `step`, or of the first one.
  func record(_ count: Int, before step: Int) -> Int? {
    points.firstIndex { $0.step == step }.map { points[max(0, $0 - count)].step }
  }

  /// The usual number of steps from one point to the next; nil for fewer than two.
  package var spacing: Int? {
    guard count > 1 else { return nil }
    let gaps = zip(points, points.dropFirst()).map { $1.step - $0.step }.sorted()
    return gaps[gaps.count / 2]
  }
}

extension Array {
  /// The first index at which `isBehind` holds, where it holds for all that follow; the end where it holds nowhere. Logarithmic.
  package func partitioningIndex(where isBehind: (Element) -> Bool) -> Int {
    var (low, high) = (0, count)
    while low < high {
      let middle = (low + high) / 2
      if isBehind(self[middle]) { high = middle } else { low = middle + 1 }
    }
    return low
  }
}

/// The middle value, or the mean of the two middle ones; nil for none.
package func median(_ values: [Double]) -> Double? {
  guard !values.isEmpty else { return nil }
  let sorted = values.sorted()
  let middle = sorted.count / 2
  return sorted.count.isMultiple(of: 2) ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[middle]
}

/// The arithmetic mean of at least one value.
package func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }
