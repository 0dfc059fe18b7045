import Foundation
import LinearAlgebra

/// The principal angles between the spans of the rows of two matrices with orthonormal rows, in radians, ascending.
///
/// Below 45° they come from sines, above from cosines (Björck and Golub 1973; Knyazev and Argentati 2002): a cosine near 1 has lost
/// half its digits. Errors are about 2⁻⁵² for angles near 0 as elsewhere.
///
/// - Parameters:
///   - x: p × n.
///   - y: k × n.
/// - Returns: min(p, k) angles in [0, π/2].
/// - Throws: `LinearAlgebraError`. Cost O(n·p·k).
package func principalAngles(
  between x: MatrixView<Double>, and y: MatrixView<Double>
) throws(LinearAlgebraError) -> [Double] {
  precondition(x.columns == y.columns, "subspaces of one space")
  let (wide, narrow) = x.rows >= y.rows ? (x, y) : (y, x)
  guard narrow.rows > 0 else { return [] }
  let overlap = product(narrow, wide.transposed)
  let cosines = try singularValues(of: overlap)
  let sines = try singularValues(of: Matrix(narrow) - product(overlap.view, wide)).reversed()
  return zip(cosines, sines).map { cosine, sine in
    cosine * cosine >= 0.5 ? asin(min(1, sine)) : acos(min(1, cosine))
  }
}

/// Principal angles between two subspaces, and how far they can be off.
package struct SubspaceAngles: Equatable, Sendable {
  /// In radians, ascending.
  package var angles: [Double]
  /// A bound on the numerical error of each, in radians.
  package var error: Double

  package init(angles: [Double], error: Double) {
    self.angles = angles
    self.error = error
  }

  /// An angle in degrees; nil where its error could be as large as the angle itself.
  package func degrees(_ angle: Double) -> Double? { angle > error ? angle * 180 / .pi : nil }

  package var smallest: Double? { angles.first.flatMap(degrees) }
  package var largest: Double? { angles.last.flatMap(degrees) }
  package var mean: Double? {
    angles.isEmpty ? nil : degrees(angles.reduce(0, +) / Double(angles.count))
  }
  /// Mean cos², in [0, 1] (Hu et al. 2021, section 7.2); nil where the error of the angles is above 1e-4.
  package var overlap: Double? {
    guard !angles.isEmpty, error <= EnergyShares.mostError else { return nil }
    return angles.reduce(0) { $0 + cos($1) * cos($1) } / Double(angles.count)
  }
}
