import Foundation

/// Student's t distribution.
package enum StudentT {
  /// P(T > t) with `degrees` degrees of freedom, which need not be a whole number; right to about 1e-14 of itself or 1e-300.
  package static func upperTail(_ t: Double, degrees: Double) -> Double {
    precondition(degrees > 0, "degrees of freedom are positive")
    if t.isNaN { return .nan }
    let x = degrees / (degrees + t * t)
    let half = IncompleteBeta.regularized(x, degrees / 2, 0.5) / 2
    return t >= 0 ? half : 1 - half
  }
}
