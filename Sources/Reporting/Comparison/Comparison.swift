import RunStore
import Spectra
import Weights

/// Runs side by side, at equal steps and at equal ‖ΔW‖_F: what a method's larger step explains, and what remains without it.
///
/// Every run is held against the first. Sizes and speeds are totals over the modules that all runs have, shapes and directions medians.
package struct Comparison: Sendable {
  package let runs: [ComparedRun]
  package let modules: SharedModules
  package let trajectories: [RunTrajectory]
  package let steps: StepAlignment
  package let norms: NormAlignment
  /// By run: what its method fixes before training.
  let constructions: [[Construction]]
  /// How many steps are shown, and norms interpolated.
  let count: Int

  /// - Parameter runs: at least two; the first is what the others are held against.
  /// - Parameter points: how many steps the table shows, and at how many norms the runs are held against one another; at least one.
  /// - Throws: `FileError` as `SharedModules` does.
  package init(_ runs: [ComparedRun], points: Int = 3) throws(FileError) {
    precondition(runs.count > 1 && points > 0, "two runs and a point at least")
    let modules = try SharedModules(runs)
    let trajectories = runs.map { RunTrajectory($0, modules) }
    (self.runs, self.modules, self.trajectories, count) = (runs, modules, trajectories, points)
    steps = StepAlignment(trajectories)
    norms = NormAlignment(trajectories, count: points)
    constructions = zip(runs, trajectories).map { Construction.of($0, isWithoutMagnitude: $1.isWithoutMagnitude) }
  }

  /// √Σ‖W₀‖_F² over the common modules; nil where one of them is not known.
  var baseNorm: Double? {
    let known = modules.names.compactMap { modules.baseNorms[$0] }
    return known.count == modules.names.count ? known.reduce(0) { $0 + $1 * $1 }.squareRoot() : nil
  }

  /// What is compared: what at least two runs have, and means the same in all of them.
  package var quantities: [ComparedQuantity] {
    ComparedQuantity.allCases.filter { quantity in
      guard modules.difference == nil || !quantity.dependsOnK else { return false }
      return runs.indices.count { has(quantity, run: $0) } > 1
    }
  }

  /// Those in the tables for the eye, where both sides stand in one unless a method decides one of them.
  var shownQuantities: [ComparedQuantity] {
    let isBySide = constructions.contains { $0.contains(.frozenRows) }
    return quantities.filter { quantity in
      quantity.title != nil && !(isBySide ? quantity.isOfBothSides : quantity.side != nil)
    }
  }

  func has(_ quantity: ComparedQuantity, run: Int) -> Bool {
    trajectories[run].points.contains { $0.values[quantity] != nil }
  }
}

// MARK: - Differences

/// Why a difference between two runs is no news.
package enum DifferenceMark: String, Sendable {
  /// The method fixes it before training.
  case construction
  /// It was there at the first point, and has not grown since.
  case start

  /// What stands behind a ratio.
  var sign: String {
    switch self {
    case .construction: "*"
    case .start: "°"
    }
  }
}

extension Comparison {
  /// The smallest ratio, or its inverse, that counts as a difference, and as growth of one.
  static let tolerance = 1.1

  /// The value of a run over that of the first; nil where either is undefined, or the first is zero.
  package func ratio(_ quantity: ComparedQuantity, run: Int, at point: AlignedPoint) -> Double? {
    guard run > 0, let value = point.values[run]?[quantity], let first = point.values[0]?[quantity], first != 0
    else { return nil }
    return value / first
  }

  /// The mark of a difference at a place of an alignment, whose first point is where it began.
  package func mark(_ quantity: ComparedQuantity, run: Int, at index: Int, in points: [AlignedPoint]) -> DifferenceMark?
  {
    if isByConstruction(quantity, run: run) { return .construction }
    // The step at which a norm is reached, and what was earned, are not differences that a start could have.
    guard ![.step, .reward, .accuracy].contains(quantity), let now = ratio(quantity, run: run, at: points[index]),
      let start = points.prefix(index).firstIndex(where: { ratio(quantity, run: run, at: $0) != nil }),
      let before = ratio(quantity, run: run, at: points[start])
    else { return nil }
    return Self.hasNotGrown(now, since: before) ? .start : nil
  }

  /// True where the constructions of a run and of the first do not decide the quantity alike.
  package func isByConstruction(_ quantity: ComparedQuantity, run: Int) -> Bool {
    func deciding(_ run: Int) -> [Construction] { constructions[run].filter { $0.decides(quantity) } }
    return deciding(run) != deciding(0)
  }

  /// True for a ratio that was a difference from the start, on the same side of one, and is no further from it by now.
  package static func hasNotGrown(_ ratio: Double, since start: Double) -> Bool {
    guard ratio > 0, start > 0 else { return false }
    let (now, then) = start > 1 ? (ratio, start) : (1 / ratio, 1 / start)
    return then >= tolerance && now >= tolerance && now <= then * tolerance
  }
}
