import Foundation
import RunStore
import Spectra

/// The way of a run through its checkpoints: every quantity, and the total size of the update.
package struct RunTrajectory: Sendable {
  /// A checkpoint.
  package struct Point: Sendable {
    package var step: Int
    /// √Σ‖ΔW‖_F² over the common modules; nil where the start is not known.
    package var norm: Double?
    /// What is undefined or was not computed is absent.
    package var values: [ComparedQuantity: Double] = [:]
  }

  /// Which update norms and shapes are of: `init`, or `pretrained`, or nil where the analysis has neither, as of a run of unknown start.
  package let delta: Delta?
  /// True where shapes and directions are those of DoRA's `init.direction`.
  package let isWithoutMagnitude: Bool
  /// By ascending steps; of checkpoints at which every common module has a row.
  package let points: [Point]
  /// Steps left out because some common module has no row.
  package let incompleteSteps: [Int]

  private typealias Rows = [String: MetricValues]

  package init(_ run: ComparedRun, _ modules: SharedModules) {
    let rows = Dictionary(grouping: run.analysis.rows, by: \.delta).mapValues { rows in
      Dictionary(grouping: rows, by: \.step).mapValues { rows in
        Dictionary(rows.map { ($0.module, $0.metrics) }, uniquingKeysWith: { first, _ in first })
      }
    }
    let delta = [Delta.initial, .pretrained].first { rows[$0] != nil }
    let isWithoutMagnitude = delta == .initial && rows[.initialDirection] != nil
    let main = rows[delta ?? .previous] ?? [:]
    let steps = main.keys.sorted()
    let complete = steps.filter { step in modules.names.allSatisfy { main[step]![$0] != nil } }
    (self.delta, self.isWithoutMagnitude) = (delta, isWithoutMagnitude)
    incompleteSteps = steps.filter { !complete.contains($0) }
    points = zip(complete, [-1] + complete).map { step, before in
      let updates = delta == nil ? [:] : main[step]!
      let directions = isWithoutMagnitude ? rows[.initialDirection]![step] ?? [:] : [:]
      return Self.point(
        run, step, after: before, modules, updates: updates, shapes: updates.merging(directions) { $1 },
        moves: rows[.previous]?[step] ?? [:])
    }
  }

  private static func point(
    _ run: ComparedRun, _ step: Int, after before: Int, _ modules: SharedModules, updates: Rows, shapes: Rows,
    moves: Rows
  ) -> Point {
    var point = Point(step: step)
    point.norm = rootOfSquares(modules.names) { updates[$0]?[.frobeniusNorm] }
    for quantity in ComparedQuantity.allCases {
      point.values[quantity] =
        switch quantity.source {
        case .step: Double(step)
        case .recordedMean(let column): run.mean(column, after: before, through: step)
        case .recorded(let column): run.recorded(column, at: step)
        case .total(let metric, let perStep): total(metric, perStep ? moves : updates, modules)
        case .median(let metric): median(modules) { shapes[$0]?[metric] }
        case .medianOfMean(let left, let right):
          median(modules) { mean(shapes[$0]?[left], shapes[$0]?[right]) }
        case .medianOfRatio(let metric, let unit): median(modules) { quotient(shapes[$0]?[metric], shapes[$0]?[unit]) }
        case .ratio(let part, let whole): quotient(point.values[part], point.values[whole])
        }
    }
    return point
  }

  private static func mean(_ a: Double?, _ b: Double?) -> Double? {
    guard let a, let b else { return nil }
    return (a + b) / 2
  }

  private static func quotient(_ value: Double?, _ unit: Double?) -> Double? {
    guard let value, let unit, unit > 0 else { return nil }
    return value / unit
  }

  private static func median(_ modules: SharedModules, _ value: (String) -> Double?) -> Double? {
    AnalysisSummary.median(modules.names.compactMap(value))
  }

  /// A number relative to ‖W₀‖_F, for all modules as if they were one weight; nil where a module lacks it.
  private static func total(_ metric: Metric, _ rows: Rows, _ modules: SharedModules) -> Double? {
    let base = rootOfSquares(modules.names) { modules.baseNorms[$0] }
    let part = rootOfSquares(modules.names) { name in
      guard let value = rows[name]?[metric], let norm = modules.baseNorms[name] else { return nil }
      return value * norm
    }
    guard let base, base > 0, let part else { return nil }
    return part / base
  }

  private static func rootOfSquares(_ names: [String], _ value: (String) -> Double?) -> Double? {
    var sum = 0.0
    for name in names {
      guard let value = value(name) else { return nil }
      sum += value * value
    }
    return sum.squareRoot()
  }
}

// MARK: - By norm

extension RunTrajectory {
  /// The checkpoints at which there is an update.
  private var sized: [Point] { points.filter { $0.norm ?? 0 > 0 } }

  /// From the first norm that is not zero to the largest; nil without any.
  package var norms: ClosedRange<Double>? {
    guard let first = sized.first?.norm, let last = sized.compactMap(\.norm).max() else { return nil }
    return first...last
  }

  /// Every quantity where the norm first reaches a value, linear in the norm's logarithm between the checkpoints before and behind; nil
  /// outside of `norms`.
  ///
  /// The first crossing lies where the norm grows, so that what comes after a shrinking cannot be taken for what came before it. A
  /// quantity that either checkpoint lacks is absent.
  package func values(atNorm norm: Double) -> [ComparedQuantity: Double]? {
    guard let norms, norms.contains(norm) else { return nil }
    let sized = sized
    let index = sized.firstIndex { $0.norm! >= norm }!
    let end = sized[index]
    guard end.norm! > norm, index > 0 else { return end.values }
    let start = sized[index - 1]
    let share = log(norm / start.norm!) / log(end.norm! / start.norm!)
    var values: [ComparedQuantity: Double] = [:]
    for (quantity, from) in start.values {
      if let to = end.values[quantity] { values[quantity] = from + (to - from) * share }
    }
    // In proportion to what is given, which a straight line in its logarithm is not.
    values[.relativeNorm] = end.values[.relativeNorm].map { $0 * norm / end.norm! }
    return values
  }
}
