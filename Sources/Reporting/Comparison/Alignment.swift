import Diagnosis
import Foundation

/// All runs at one place: at a step, or at a norm.
package struct AlignedPoint: Sendable {
  /// The step or the norm.
  package var position: Double
  /// What each run is there; nil for a run that does not get there.
  package var values: [[ComparedQuantity: Double]?]
}

/// Runs at equal steps.
package struct StepAlignment: Sendable {
  /// By ascending steps, without those at which no run has an update yet.
  package let points: [AlignedPoint]
  /// True where no step is common to all runs, so that each stands at its nearest checkpoint below a step of the first.
  package let isNearestBelow: Bool

  init(_ trajectories: [RunTrajectory]) {
    let moved = trajectories.map { $0.points.filter { $0.norm != 0 } }
    let common = commonSteps(moved.map { $0.map(\.step) })
    isNearestBelow = common.isEmpty
    let steps = common.isEmpty ? moved[0].map(\.step) : common
    let spacings = moved.map { points in
      Series(points.map { Series.Point(step: $0.step, value: 0) }).spacing ?? points.first?.step ?? 1
    }
    points = steps.compactMap { step in
      // A run that has ended, or not yet begun, is at no step near this one.
      let found = zip(moved, spacings).map { points, spacing in
        points.last { $0.step <= step }.flatMap { step - $0.step <= spacing ? $0 : nil }
      }
      guard found.allSatisfy({ $0 != nil }) else { return nil }
      return AlignedPoint(position: Double(step), values: found.map { $0?.values })
    }
  }
}

/// Runs at equal ‖ΔW‖_F, total over the common modules.
package struct NormAlignment: Sendable {
  /// A run that never has a norm that the others have.
  package struct Apart: Equatable, Sendable {
    package var run: Int
    /// Its norms; nil where its start is not known.
    package var norms: ClosedRange<Double>?
    /// Those that the runs before it have in common.
    package var others: ClosedRange<Double>?

    package init(run: Int, norms: ClosedRange<Double>?, others: ClosedRange<Double>?) {
      (self.run, self.norms, self.others) = (run, norms, others)
    }
  }

  /// On a geometric grid over the norms that all runs have that are not apart; none where that is only the first run.
  package let points: [AlignedPoint]
  package let apart: [Apart]

  /// - Parameter count: the points of the grid, at least one. Its ends are those of the common norms; a single one is their geometric mean.
  init(_ trajectories: [RunTrajectory], count: Int) {
    var common = trajectories[0].norms
    var apart = common == nil ? [Apart(run: 0, norms: nil, others: nil)] : []
    for index in trajectories.indices.dropFirst() {
      let norms = trajectories[index].norms
      if let norms, let known = common, known.overlaps(norms) {
        common = known.clamped(to: norms)
      } else {
        apart.append(Apart(run: index, norms: norms, others: common))
      }
    }
    self.apart = apart
    guard let common, apart.count < trajectories.count - 1 else {
      points = []
      return
    }
    points = Self.grid(common, count: count).map { norm in
      AlignedPoint(
        position: norm,
        values: trajectories.indices.map { index in
          apart.contains { $0.run == index } ? nil : trajectories[index].values(atNorm: norm)
        })
    }
  }

  private static func grid(_ range: ClosedRange<Double>, count: Int) -> [Double] {
    let (low, high) = (range.lowerBound, range.upperBound)
    if low == high { return [low] }
    if count == 1 { return [(low * high).squareRoot()] }
    return (0..<count).map { index in
      index == 0 ? low : index == count - 1 ? high : low * pow(high / low, Double(index) / Double(count - 1))
    }
  }
}
