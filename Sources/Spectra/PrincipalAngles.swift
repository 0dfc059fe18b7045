import Foundation
import LinearAlgebra

/// The principal angles between the spans of two matrices with orthonormal columns, in radians, ascending.
///
/// Below 45° they come from sines, above from cosines (Björck and Golub 1973; Knyazev and Argentati 2002): a cosine near 1 has lost
/// half its digits. Errors are about 2⁻⁵² for angles near 0 as elsewhere.
///
/// - Parameters:
///   - x: n × p.
///   - y: n × k.
/// - Returns: min(p, k) angles in [0, π/2].
/// - Throws: `LinearAlgebraError`. Cost O(n·p·k).
package func principalAngles(
  between x: Matrix<Double>, and y: Matrix<Double>
) throws(LinearAlgebraError) -> [Double] {
  precondition(x.rows == y.rows, "subspaces of one space")
  let (wide, narrow) = x.columns >= y.columns ? (x, y) : (y, x)
  guard narrow.columns > 0 else { return [] }
  let overlap = product(wide.transposed, narrow.view)
  let cosines = try singularValues(of: overlap)
  let sines = try singularValues(of: narrow - product(wide, overlap)).reversed()
  return zip(cosines, sines).map { cosine, sine in
    cosine * cosine >= 0.5 ? asin(min(1, sine)) : acos(min(1, cosine))
  }
}

/// Where an update points relative to the leading singular directions of the pretrained weight.
package struct Alignment: Equatable, Sendable {
  /// The principal angles in radians, ascending, between the update's own leading left (right) singular subspace and that of W₀'s top k;
  /// empty where the update is zero.
  package var left: [Double]
  package var right: [Double]

  /// - Parameters:
  ///   - update: the leading singular vectors of ΔW, at most k of them: rows × r and columns × r.
  ///   - base: the first k singular vectors of W₀: rows × k and columns × k.
  package init(
    of update: (left: Matrix<Double>, right: Matrix<Double>), with base: (left: Matrix<Double>, right: Matrix<Double>)
  ) throws(LinearAlgebraError) {
    left = try principalAngles(between: base.left, and: update.left)
    right = try principalAngles(between: base.right, and: update.right)
  }
}

extension MetricValues {
  /// Adds the alignment's angles in degrees and overlaps (mean cos²); nothing where there is no angle.
  package mutating func add(_ alignment: Alignment) {
    func add(_ angles: [Double], _ least: Metric, _ middle: Metric, _ most: Metric, _ overlap: Metric) {
      guard !angles.isEmpty else { return }
      let degrees = angles.map { $0 * 180 / .pi }
      self[least] = degrees.first
      self[middle] = degrees.reduce(0, +) / Double(degrees.count)
      self[most] = degrees.last
      self[overlap] = angles.reduce(0) { $0 + cos($1) * cos($1) } / Double(angles.count)
    }
    add(alignment.left, .leftAngleMin, .leftAngleMean, .leftAngleMax, .leftOverlap)
    add(alignment.right, .rightAngleMin, .rightAngleMean, .rightAngleMax, .rightOverlap)
  }
}
