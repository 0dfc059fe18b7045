/// The numeric columns of `modules.csv`, in their order; the raw value is the name of the column and of the HDF5 dataset.
package enum Metric: String, CaseIterable, Sendable, Codable {
  case rows, columns, rank, k
  case gapRank = "k_gap"

  // Size
  case frobeniusNorm = "frobenius_norm"
  case relativeNorm = "relative_norm"
  case spectralNorm = "spectral_norm"
  case spectralRatio = "spectral_ratio"
  case roundingFloor = "rounding_floor"
  case residualRounding = "residual_rounding"

  // Shape
  case stableRank = "stable_rank"
  case effectiveRank = "effective_rank"
  case effectiveRankOfEnergy = "effective_rank_energy"
  case participationRatio = "participation_ratio"
  case nuclearRatio = "nuclear_ratio"
  case numericalRank = "numerical_rank"

  // Energy among W₀'s singular directions
  case leftEnergyTop = "left_energy_top"
  case rightEnergyTop = "right_energy_top"
  case bothEnergyTop = "both_energy_top"
  case leftEnergyBottom = "left_energy_bottom"
  case rightEnergyBottom = "right_energy_bottom"
  case bothEnergyBottom = "both_energy_bottom"
  case leftEnergyNull = "left_energy_null"
  case rightEnergyNull = "right_energy_null"
  case leftNullTop = "left_null_top"
  case rightNullTop = "right_null_top"
  case leftNullBottom = "left_null_bottom"
  case rightNullBottom = "right_null_bottom"
  case leftEnrichmentTop = "left_enrichment_top"
  case rightEnrichmentTop = "right_enrichment_top"
  case leftEnrichmentBottom = "left_enrichment_bottom"
  case rightEnrichmentBottom = "right_enrichment_bottom"

  // Alignment
  case leftAngleMin = "left_angle_min"
  case leftAngleMean = "left_angle_mean"
  case leftAngleMax = "left_angle_max"
  case leftOverlap = "left_overlap"
  case rightAngleMin = "right_angle_min"
  case rightAngleMean = "right_angle_mean"
  case rightAngleMax = "right_angle_max"
  case rightOverlap = "right_overlap"

  case alignmentError = "alignment_error"

  // Rotation
  case leftRotationMax = "left_rotation_max"
  case leftRotationMean = "left_rotation_mean"
  case rightRotationMax = "right_rotation_max"
  case rightRotationMean = "right_rotation_mean"
  case rotationError = "rotation_error"
  case leftRotationGap = "left_rotation_gap"
  case rightRotationGap = "right_rotation_gap"
  case rotationGapError = "rotation_gap_error"
  case spectralGap = "spectral_gap"
  case gapRatio = "gap_ratio"
  case rotationBound = "rotation_bound"

  // Drift
  case spectralShift = "spectral_shift"
  case intruderCount = "intruder_count"
  case intruderEnergy = "intruder_energy"

  // Velocity
  case updateVelocity = "update_velocity"
  case shiftVelocity = "shift_velocity"
  case rotationVelocity = "rotation_velocity"
  case unitStep = "unit_step"

  /// Counts are written without a fraction.
  package var isCount: Bool {
    switch self {
    case .rows, .columns, .rank, .k, .gapRank, .numericalRank, .intruderCount: true
    default: false
    }
  }
}

/// One value per metric; a metric that is undefined or was not computed is absent, never a made-up number.
package struct MetricValues: Equatable, Sendable {
  private var storage: [Double]

  /// No metric has a value yet.
  package init() {
    storage = Array(repeating: .nan, count: Metric.allCases.count)
  }

  /// The value, or nil where it is undefined. Storing a NaN removes the value: NaN is how files write "missing".
  package subscript(metric: Metric) -> Double? {
    get {
      let value = storage[Self.position[metric]!]
      return value.isNaN ? nil : value
    }
    set { storage[Self.position[metric]!] = newValue ?? .nan }
  }

  package static func == (a: MetricValues, b: MetricValues) -> Bool {
    zip(a.storage, b.storage).allSatisfy { $0 == $1 || ($0.isNaN && $1.isNaN) }
  }

  private static let position = Dictionary(uniqueKeysWithValues: Metric.allCases.enumerated().map { ($1, $0) })
}
