import Diagnosis
import Spectra

/// A number of a module at a step that the page can show: as a heat map, and in the module's own charts.
package struct ReportMetric: Sendable {
  /// Which update it is of.
  enum Source: Sendable {
    /// Since the start; where that is unknown, since the pretrained weights.
    case size
    /// The same, of DoRA without what its magnitudes did.
    case shape
    /// Since the pretrained weights: what the model is now, which rotation and drift are of.
    case pretrained
    /// Since the checkpoint before.
    case previous
  }

  package let metric: Metric
  let source: Source
  /// What the page calls it.
  package let title: String
  let group: Group
  let scale: PackedArray.Scale
  let unit: String
  /// The metric of what chance, rounding or a bound makes of it, drawn beside it.
  let reference: Metric?
  /// What such a reference is.
  let referenceTitle: String
  /// Where a colour scale has its middle: 1 for a ratio to chance.
  let middle: Double?
  /// False for what stands beside others alone and is not offered as a heat map.
  let isOffered: Bool

  /// How metrics are grouped where one is chosen.
  enum Group: String, Sendable {
    case velocity = "Velocity, per step"
    case size = "Size of ΔW"
    case shape = "Shape of ΔW"
    case energy = "Energy against W₀ ÷ chance"
    case share = "Share of energy against W₀"
    case alignment = "Alignment with W₀"
    case rotation = "Rotation of W₀"
    case drift = "Drift of the spectrum"
    case auxiliary = "Beside others"
  }

  init(
    _ metric: Metric, _ source: Source, _ group: Group, _ title: String, scale: PackedArray.Scale = .linear,
    unit: String = "", beside reference: Metric? = nil, as referenceTitle: String = "", middle: Double? = nil,
    isOffered: Bool = true
  ) {
    (self.metric, self.source, self.group, self.title) = (metric, source, group, title)
    (self.scale, self.unit, self.middle, self.isOffered) = (scale, unit, middle, isOffered)
    (self.reference, self.referenceTitle) = (reference, referenceTitle)
  }

  private static func beside(_ metric: Metric, _ source: Source, _ title: String, scale: PackedArray.Scale = .linear)
    -> ReportMetric
  { ReportMetric(metric, source, .auxiliary, title, scale: scale, isOffered: false) }

  /// In the order in which they are offered.
  package static let all: [ReportMetric] = velocity + size + shape + energy + alignment + rotation + drift + auxiliary

  private static let velocity = [
    ReportMetric(.updateVelocity, .previous, .velocity, "velocity ‖δW‖/‖W₀‖", scale: .log),
    ReportMetric(.shiftVelocity, .previous, .velocity, "shift velocity", scale: .log),
    ReportMetric(.rotationVelocity, .previous, .velocity, "rotation velocity", scale: .log, unit: "°"),
  ]
  private static let size = [
    ReportMetric(
      .relativeNorm, .size, .size, "‖ΔW‖/‖W₀‖", scale: .log, beside: .roundingFloor, as: "rounding floor"),
    ReportMetric(.spectralRatio, .size, .size, "τ₁/σ₁", scale: .log),
    ReportMetric(.unitStep, .size, .size, "unit step", scale: .log),
  ]
  private static let shape = [
    ReportMetric(.effectiveRank, .shape, .shape, "effective rank"),
    ReportMetric(.effectiveRankOfEnergy, .shape, .shape, "effective rank of energy"),
    ReportMetric(.stableRank, .shape, .shape, "stable rank"),
    ReportMetric(.participationRatio, .shape, .shape, "participation ratio"),
    ReportMetric(.numericalRank, .shape, .shape, "numerical rank"),
  ]
  private static let energy = [
    ReportMetric(
      .leftEnrichmentTop, .shape, .energy, "leading energy ÷ chance, output side", scale: .log, unit: "×", middle: 1),
    ReportMetric(
      .rightEnrichmentTop, .shape, .energy, "leading energy ÷ chance, input side", scale: .log, unit: "×", middle: 1),
    ReportMetric(
      .leftEnrichmentBottom, .shape, .energy, "trailing energy ÷ chance, output side", scale: .log, unit: "×", middle: 1
    ),
    ReportMetric(
      .rightEnrichmentBottom, .shape, .energy, "trailing energy ÷ chance, input side", scale: .log, unit: "×", middle: 1
    ),
    ReportMetric(.leftEnergyTop, .shape, .share, "leading energy, output side", beside: .leftNullTop, as: "chance"),
    ReportMetric(.rightEnergyTop, .shape, .share, "leading energy, input side", beside: .rightNullTop, as: "chance"),
    ReportMetric(.bothEnergyTop, .shape, .share, "leading energy, both sides at once"),
    ReportMetric(
      .leftEnergyBottom, .shape, .share, "trailing energy, output side", beside: .leftNullBottom, as: "chance"),
    ReportMetric(
      .rightEnergyBottom, .shape, .share, "trailing energy, input side", beside: .rightNullBottom, as: "chance"),
    ReportMetric(.leftEnergyNull, .shape, .share, "energy outside W₀'s range, output side"),
    ReportMetric(.rightEnergyNull, .shape, .share, "energy outside W₀'s range, input side"),
  ]
  private static let alignment = [
    ReportMetric(.leftOverlap, .shape, .alignment, "overlap, output side", beside: .leftNullTop, as: "chance"),
    ReportMetric(.rightOverlap, .shape, .alignment, "overlap, input side", beside: .rightNullTop, as: "chance"),
    ReportMetric(
      .leftAngleMean, .shape, .alignment, "mean angle, output side", unit: "°", beside: .alignmentError, as: "error"),
    ReportMetric(
      .rightAngleMean, .shape, .alignment, "mean angle, input side", unit: "°", beside: .alignmentError, as: "error"),
  ]
  private static let rotation = [
    ReportMetric(
      .leftRotationMax, .pretrained, .rotation, "largest turn, output side", scale: .log, unit: "°",
      beside: .rotationBound,
      as: "bound"),
    ReportMetric(
      .rightRotationMax, .pretrained, .rotation, "largest turn, input side", scale: .log, unit: "°",
      beside: .rotationBound,
      as: "bound"),
    ReportMetric(.leftRotationGap, .pretrained, .rotation, "turn at the gap, output side", scale: .log, unit: "°"),
    ReportMetric(.rightRotationGap, .pretrained, .rotation, "turn at the gap, input side", scale: .log, unit: "°"),
    ReportMetric(.gapRatio, .pretrained, .rotation, "τ₁/γ_k", scale: .log),
  ]
  private static let drift = [
    ReportMetric(.spectralShift, .pretrained, .drift, "spectral shift", scale: .log),
    ReportMetric(.intruderCount, .pretrained, .drift, "intruders"),
    ReportMetric(.intruderEnergy, .pretrained, .drift, "energy of intruders"),
  ]
  private static let auxiliary = [
    beside(.roundingFloor, .size, "rounding floor", scale: .log),
    beside(.residualRounding, .pretrained, "rounding of the residual", scale: .log),
    beside(.rank, .size, "rank"), beside(.k, .size, "k"), beside(.gapRank, .size, "k at the gap"),
    beside(.rows, .size, "rows"), beside(.columns, .size, "columns"),
    beside(.leftNullTop, .shape, "chance, leading, output side"),
    beside(.rightNullTop, .shape, "chance, leading, input side"),
    beside(.leftNullBottom, .shape, "chance, trailing, output side"),
    beside(.rightNullBottom, .shape, "chance, trailing, input side"),
    beside(.leftAngleMin, .shape, "smallest angle, output side"),
    beside(.leftAngleMax, .shape, "largest angle, output side"),
    beside(.rightAngleMin, .shape, "smallest angle, input side"),
    beside(.rightAngleMax, .shape, "largest angle, input side"),
    beside(.alignmentError, .shape, "error of the angles"),
    beside(.rotationError, .pretrained, "error of the turn", scale: .log),
    beside(.rotationBound, .pretrained, "bound of the turn", scale: .log),
  ]
}

extension ReportMetric.Source {
  /// The delta of a run that it is read from.
  func delta(of run: RunEvidence) -> Delta {
    switch self {
    case .size: run.sizeDelta
    case .shape: run.shapeDelta
    case .pretrained: .pretrained
    case .previous: .previous
    }
  }
}
