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

  // Alignment
  case leftAngleMin = "left_angle_min"
  case leftAngleMean = "left_angle_mean"
  case leftAngleMax = "left_angle_max"
  case leftOverlap = "left_overlap"
  case rightAngleMin = "right_angle_min"
  case rightAngleMean = "right_angle_mean"
  case rightAngleMax = "right_angle_max"
  case rightOverlap = "right_overlap"

  // Velocity
  case updateVelocity = "update_velocity"

  /// Counts are written without a fraction.
  package var isCount: Bool {
    switch self {
    case .rows, .columns, .rank, .k, .gapRank, .numericalRank: true
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
