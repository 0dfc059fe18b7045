import Spectra

/// One quantity of a run at a step, by which runs are compared. Sizes and speeds are totals over the modules, shapes and directions
/// medians.
package enum ComparedQuantity: String, CaseIterable, Sendable {
  /// The step itself: at equal norm, how many steps it took.
  case step
  case reward, accuracy
  case relativeNorm = "relative_norm"
  case effectiveRank = "effective_rank_per_rank"
  /// Enrichments and overlaps of both sides in one, as the mean of left and right.
  case enrichmentTop = "enrichment_top"
  case enrichmentBottom = "enrichment_bottom"
  case overlap
  case leftEnrichmentTop = "left_enrichment_top"
  case rightEnrichmentTop = "right_enrichment_top"
  case leftEnrichmentBottom = "left_enrichment_bottom"
  case rightEnrichmentBottom = "right_enrichment_bottom"
  case leftEnergyTop = "left_energy_top"
  case rightEnergyTop = "right_energy_top"
  case leftEnergyBottom = "left_energy_bottom"
  case rightEnergyBottom = "right_energy_bottom"
  case leftNullTop = "left_null_top"
  case rightNullTop = "right_null_top"
  case leftNullBottom = "left_null_bottom"
  case rightNullBottom = "right_null_bottom"
  case leftOverlap = "left_overlap"
  case rightOverlap = "right_overlap"
  case spectralShift = "spectral_shift"
  case velocity = "update_velocity"
  case shiftVelocity = "shift_velocity"
  /// The last over the one before it: the part of a move that shifts singular values, which a larger step leaves as it is.
  case shiftShare = "shift_share"

  /// How a quantity comes from rows and records.
  enum Source {
    case step
    /// The mean of a recorded column since the checkpoint before.
    case recordedMean(String)
    /// A recorded column at the step.
    case recorded(String)
    /// √Σ(x·‖W₀‖_F)²/√Σ‖W₀‖_F² over all modules, from the update since the start, or per step from the one since the checkpoint before.
    case total(Metric, perStep: Bool)
    /// The median over the modules of the update since the start; for DoRA of its part `init.direction`.
    case median(Metric)
    /// Likewise, of the mean of two metrics.
    case medianOfMean(Metric, Metric)
    /// Likewise, of one metric over another.
    case medianOfRatio(Metric, Metric)
    /// Of two quantities that come before it.
    case ratio(ComparedQuantity, ComparedQuantity)
  }

  var source: Source {
    switch self {
    case .step: .step
    case .reward: .recordedMean("reward")
    case .accuracy: .recorded("accuracy")
    case .relativeNorm: .total(.relativeNorm, perStep: false)
    case .spectralShift: .total(.spectralShift, perStep: false)
    case .velocity: .total(.updateVelocity, perStep: true)
    case .shiftVelocity: .total(.shiftVelocity, perStep: true)
    case .effectiveRank: .medianOfRatio(.effectiveRank, .rank)
    case .enrichmentTop: .medianOfMean(.leftEnrichmentTop, .rightEnrichmentTop)
    case .enrichmentBottom: .medianOfMean(.leftEnrichmentBottom, .rightEnrichmentBottom)
    case .overlap: .medianOfMean(.leftOverlap, .rightOverlap)
    case .shiftShare: .ratio(.shiftVelocity, .velocity)
    default: .median(Metric(rawValue: rawValue)!)
    }
  }

  /// True for what depends on the number k of directions that are looked at.
  var dependsOnK: Bool {
    switch self {
    case .step, .reward, .accuracy, .relativeNorm, .effectiveRank, .spectralShift, .velocity: false
    default: true
    }
  }

  /// True for what holds ΔW against W₀, which an analysis at depth `update` has not.
  var needsGeometry: Bool { dependsOnK || self == .spectralShift }

  /// The side of ΔW that this is of alone.
  package var side: Side? {
    if rawValue.hasPrefix("left_") { return .left }
    return rawValue.hasPrefix("right_") ? .right : nil
  }

  /// True for a mean of both sides.
  var isOfBothSides: Bool { [.enrichmentTop, .enrichmentBottom, .overlap].contains(self) }

  /// The name in the tables for the eye; nil for what stands in JSON alone, which has the parts of an enrichment, too.
  var title: String? {
    switch self {
    case .step: "step"
    case .reward: "reward"
    case .accuracy: "held-out accuracy"
    case .relativeNorm: "‖ΔW‖/‖W₀‖"
    case .effectiveRank: "effective rank ÷ rank"
    case .enrichmentTop: "top energy"
    case .enrichmentBottom: "bottom energy"
    case .overlap: "overlap"
    case .leftEnrichmentTop: "top energy, left"
    case .rightEnrichmentTop: "top energy, right"
    case .leftEnrichmentBottom: "bottom energy, left"
    case .rightEnrichmentBottom: "bottom energy, right"
    case .leftOverlap: "overlap, left"
    case .rightOverlap: "overlap, right"
    case .spectralShift: "spectral shift"
    case .velocity: "velocity"
    case .shiftVelocity: "shift velocity"
    case .shiftShare: "shift ÷ velocity"
    default: nil
    }
  }
}
