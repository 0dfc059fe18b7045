import Foundation
import LinearAlgebra
import Spectra

/// What chance makes of the rank measures of an update: those of a product of two random factors of its shape.
///
/// The singular values of B·A with standard normal factors are those of R_B·R_Aᵀ, where R is the triangle of Bartlett's decomposition of a
/// Wishart matrix (Bartlett 1933): square roots of χ² on the diagonal, normal numbers above. So a draw costs r³ whatever the module's size.
package struct RankBand: Equatable, Sendable {
  package let effectiveRank: ClosedRange<Double>
  package let effectiveRankOfEnergy: ClosedRange<Double>
  package let stableRank: ClosedRange<Double>
  package let participationRatio: ClosedRange<Double>

  /// The smallest and the largest of so many draws bound about 95 % of what chance does.
  package static let draws = 40
  /// Beyond it a draw takes too long, and the band is narrow.
  package static let largestRank = 64

  /// - Returns: nil for a rank that is too large to draw, or not small against the shape, as of a dense update.
  package init?(rows: Int, columns: Int, rank: Int) {
    guard (1...Self.largestRank).contains(rank), 2 * rank <= min(rows, columns) else { return nil }
    var random = SeededGenerator(seed: UInt64(rows) << 40 ^ UInt64(columns) << 16 ^ UInt64(rank))
    let spectra = (0..<Self.draws).compactMap { _ in
      Self.spectrum(rows: rows, columns: columns, rank: rank, &random)
    }
    func band(_ measure: (UpdateSpectrum) -> Double?) -> ClosedRange<Double>? {
      let values = spectra.compactMap(measure)
      return values.isEmpty ? nil : values.min()!...values.max()!
    }
    guard let effective = band(\.effectiveRank), let energy = band(\.effectiveRankOfEnergy),
      let stable = band(\.stableRank), let participation = band(\.participationRatio)
    else { return nil }
    (effectiveRank, effectiveRankOfEnergy) = (effective, energy)
    (stableRank, participationRatio) = (stable, participation)
  }

  private static func spectrum(
    rows: Int, columns: Int, rank: Int, _ random: inout SeededGenerator
  ) -> UpdateSpectrum? {
    let (left, right) = (
      triangle(samples: rows, rank: rank, &random), triangle(samples: columns, rank: rank, &random)
    )
    var product = Matrix<Double>(rows: rank, columns: rank)
    for i in 0..<rank {
      for j in 0..<rank {
        product[i, j] = (max(i, j)..<rank).reduce(0) { $0 + left[i, $1] * right[j, $1] }
      }
    }
    guard let values = try? singularValues(of: product) else { return nil }
    return UpdateSpectrum(rows: rows, columns: columns, values: values, rankThreshold: 0)
  }

  /// The upper triangle R of a QR decomposition of a samples × rank matrix of standard normal numbers, but for signs.
  private static func triangle(samples: Int, rank: Int, _ random: inout SeededGenerator) -> Matrix<Double> {
    var triangle = Matrix<Double>(rows: rank, columns: rank)
    for i in 0..<rank {
      triangle[i, i] = chi(degrees: samples - i, &random)
      for j in (i + 1)..<max(i + 1, rank) { triangle[i, j] = random.normal() }
    }
    return triangle
  }

  /// The square root of a χ² number, by the cube root of Wilson and Hilferty (1931), which is right to a part in a thousand from 10 degrees on.
  private static func chi(degrees: Int, _ random: inout SeededGenerator) -> Double {
    if degrees < 10 {
      return (0..<degrees).reduce(0.0) { sum, _ in
        let x = random.normal()
        return sum + x * x
      }.squareRoot()
    }
    let n = Double(degrees)
    let root = 1 - 2 / (9 * n) + random.normal() * (2 / (9 * n)).squareRoot()
    return (n * root * root * root).squareRoot()
  }
}
