import Foundation
import Spectra

/// How far rounding may move the geometry of one row, from the condition numbers that were computed beside the reference values:
/// ‖W‖₂ over the gap behind a subspace.
///
/// Singular vectors here come from Float64 Gram matrices, whose error u·‖W‖²·√q is magnified by 1/(σᵢ² − σⱼ²), at most the square
/// of the condition number; 256 covers √q, the constants of LAPACK and the sum over the two sides.
struct Conditioning {
  private let values: [String: Double]

  init(_ cells: [String: String]) {
    values = cells.compactMapValues { $0 == "inf" ? .infinity : Double($0) }
  }

  /// The angle in radians by which a subspace with this condition number may be off.
  private func angle(_ name: String) -> Double {
    let condition = values[name] ?? 0
    return min(.pi / 2, 256 * 0x1p-53 * condition * condition)
  }

  /// A share is at most this far off: twice the angle of the subspace.
  func shareBound(_ name: String) -> Double { min(1, 2 * angle(name)) }

  /// Values up to this may be missing: angles that are smaller than their error, and shares of what nothing defines.
  func leastTold(_ metric: Metric) -> Double {
    if let degrees = degrees(of: metric) { return degrees }
    let share: String? =
      switch metric {
      case .leftEnergyBottom, .rightEnergyBottom, .bothEnergyBottom, .leftEnergyNull, .rightEnergyNull,
        .leftEnrichmentBottom, .rightEnrichmentBottom, .shiftVelocity:
        "bottom_condition"
      case .leftEnergyTop, .rightEnergyTop, .bothEnergyTop, .leftEnrichmentTop, .rightEnrichmentTop: "base_condition"
      default: nil
      }
    return share.map { shareBound($0) > 1e-4 ? .infinity : 0 } ?? 0
  }

  /// The absolute error allowed beside what the singular values of the update are allowed.
  func bound(of metric: Metric, _ row: SpectrumRow) -> Double {
    if let degrees = degrees(of: metric) { return degrees }
    return switch metric {
    case .leftEnergyTop, .rightEnergyTop, .bothEnergyTop, .leftNullTop, .rightNullTop: shareBound("base_condition")
    case .leftEnergyBottom, .rightEnergyBottom, .bothEnergyBottom, .leftNullBottom, .rightNullBottom:
      shareBound("bottom_condition")
    case .leftEnergyNull, .rightEnergyNull: shareBound("bottom_condition")
    case .leftEnrichmentTop: shareBound("base_condition") / row.metrics[.leftNullTop]!
    case .rightEnrichmentTop: shareBound("base_condition") / row.metrics[.rightNullTop]!
    case .leftEnrichmentBottom: shareBound("bottom_condition") / row.metrics[.leftNullBottom]!
    case .rightEnrichmentBottom: shareBound("bottom_condition") / row.metrics[.rightNullBottom]!
    case .leftOverlap, .rightOverlap: shareBound("alignment_condition") + shareBound("base_condition")
    case .intruderEnergy: shareBound("intruder_condition")
    // The promise of the contract, 1e-4 of itself, and what rounding does to σ itself.
    case .spectralShift: 1e-4 * (row.metrics[.spectralShift] ?? 0) + 1e-13
    case .shiftVelocity:
      (row.metrics[.updateVelocity] ?? 0) * (shareBound("base_condition") + shareBound("bottom_condition"))
    case .rotationBound: 1e-9
    case .spectralGap, .gapRatio: 1e-9 * abs(row.metrics[metric] ?? 0)
    default: 0
    }
  }

  private func degrees(of metric: Metric) -> Double? {
    let angle: Double? =
      switch metric {
      case .leftAngleMin, .leftAngleMean, .leftAngleMax, .rightAngleMin, .rightAngleMean, .rightAngleMax:
        angle("alignment_condition") + angle("base_condition")
      case .leftRotationMax, .leftRotationMean, .rightRotationMax, .rightRotationMean, .rotationVelocity:
        angle("rotation_condition") + angle("base_condition")
      case .leftRotationGap, .rightRotationGap: angle("rotation_gap_condition")
      default: nil
      }
    return angle.map { $0 * 180 / .pi }
  }
}
