import Foundation
import Spectra

/// How fast healthy runs of each method move, at one spacing of checkpoints.
///
/// The calibration's statistic is the largest stride of a whole run in units of what is usual at its step, before its onset if it collapsed. So
/// holding the largest so far against it at every checkpoint inflates nothing: it can only grow to what the whole run's would be.
package struct StrideBounds: Sendable {
  /// What parts the healthy from the collapsed runs of one method, by one number.
  package struct Bound: Equatable, Sendable {
    /// The largest of the healthy runs.
    package var healthy: Double
    /// The smallest of the collapsed runs; nil where none collapsed.
    package var collapsed: Double?

    package init(healthy: Double, collapsed: Double?) {
      (self.healthy, self.collapsed) = (healthy, collapsed)
    }

    /// In the middle between the two, in logarithms, whether they overlap or not; where none collapsed, twice the largest healthy one.
    package var value: Double { collapsed.map { (healthy * $0).squareRoot() } ?? 2 * healthy }
  }

  /// The bounds of one method.
  package struct Method: Equatable, Sendable {
    package var size: Bound
    /// Nil where singular values follow from the size by construction.
    package var shift: Bound?
    package var healthyRuns: Int
    package var collapsedRuns: Int

    package init(size: Bound, shift: Bound?, healthyRuns: Int, collapsedRuns: Int) {
      (self.size, self.shift) = (size, shift)
      (self.healthyRuns, self.collapsedRuns) = (healthyRuns, collapsedRuns)
    }
  }

  /// Steps from one checkpoint to the next.
  package let spacing: Int
  /// By `RunSetup.boundedMethod`.
  package let methods: [String: Method]
  /// The excess that alerts: at most one in two hundred healthy runs goes beyond it, held against bounds from other bases than its own; 1 at least.
  package let alarm: Double
  /// Their largest excesses, ascending; of all methods.
  package let healthyExcesses: [Double]
  /// The median of those that learned something: where to go.
  package let goal: Double

  package init(spacing: Int, methods: [String: Method], alarm: Double, healthyExcesses: [Double], goal: Double) {
    (self.spacing, self.methods, self.alarm) = (spacing, methods, alarm)
    (self.healthyExcesses, self.goal) = (healthyExcesses, goal)
  }

  /// The bounds that hold for checkpoints so many steps apart: those of the largest calibrated spacing that is not larger, which are never
  /// too low, as a mean over more steps is no larger.
  package static func at(spacing: Int) -> StrideBounds? { calibrated.last { $0.spacing <= spacing } }
}

// MARK: - Excess

/// A stride held against the bounds of its method.
package struct StrideExcess: Equatable, Sendable {
  package var stride: Stride
  /// Size ÷ bound.
  package var size: Double
  /// Shift ÷ bound, where there is one.
  package var shift: Double?

  package init(_ stride: Stride, over bounds: StrideBounds.Method) {
    self.stride = stride
    size = stride.relativeSize / bounds.size.value
    shift = stride.relativeShift.flatMap { shift in bounds.shift.map { shift / $0.value } }
  }

  /// Both together, as their geometric mean: they err for different reasons.
  package var total: Double { shift.map { (size * $0).squareRoot() } ?? size }
}

extension StrideBounds {
  /// The chance that a healthy run's largest excess is as large: the share of the calibration's healthy runs, this one counted among them
  /// (a conformal p-value, valid if the run is one of their kind).
  package func pValue(_ excess: Double) -> Double {
    HealthyRuns.pValue(of: excess, among: healthyExcesses)
  }
}

extension RunEvidence {
  /// The name that the bounds of the run's method are kept under: `svd` is as many methods as there are directions to begin in.
  package var boundedMethod: String {
    method == "svd" ? setup.directions.map { "svd-\($0)" } ?? method : method
  }

  /// Every stride against the bounds for its stretch; those that have none are left out.
  package var strideExcesses: [StrideExcess] {
    strides.compactMap { stride in
      StrideBounds.at(spacing: stride.stretch)?.methods[boundedMethod].map { StrideExcess(stride, over: $0) }
    }
  }

  /// The module with the largest value at the first checkpoint from `step` on.
  func fastestModule(by metric: Metric, from step: Int) -> String? {
    modules.compactMap { module -> (String, Double)? in
      series(metric, .previous, of: module).points.first { $0.step >= step }.map { (module, $0.value) }
    }.max { $0.1 < $1.1 }?.0
  }
}
