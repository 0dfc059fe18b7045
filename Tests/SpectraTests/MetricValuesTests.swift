import Spectra
import Testing

@Suite struct MetricValuesTests {
  /// The numeric columns of `modules.csv` in the contract's order; those that are not computed yet have no metric.
  private static let contract = [
    "rows", "columns", "rank", "k", "k_gap", "frobenius_norm", "relative_norm", "spectral_norm", "spectral_ratio",
    "rounding_floor", "residual_rounding", "stable_rank", "effective_rank", "effective_rank_energy",
    "participation_ratio", "nuclear_ratio", "numerical_rank", "left_energy_top", "right_energy_top", "both_energy_top",
    "left_energy_bottom", "right_energy_bottom", "both_energy_bottom", "left_energy_null", "right_energy_null",
    "left_null_top", "right_null_top", "left_null_bottom", "right_null_bottom", "left_enrichment_top",
    "right_enrichment_top", "left_enrichment_bottom", "right_enrichment_bottom", "left_angle_min", "left_angle_mean",
    "left_angle_max", "left_overlap", "right_angle_min", "right_angle_mean", "right_angle_max", "right_overlap",
    "left_rotation_max", "left_rotation_mean", "right_rotation_max", "right_rotation_mean", "left_rotation_gap",
    "right_rotation_gap", "spectral_gap", "gap_ratio", "rotation_bound", "spectral_shift", "intruder_count",
    "intruder_energy", "update_velocity", "shift_velocity", "rotation_velocity", "unit_step",
  ]

  /// The bounds of the angles' numerical errors, each behind its angles.
  private static let added = ["alignment_error", "rotation_error", "rotation_gap_error"]

  @Test func theColumnsAreTheContractsInItsOrder() {
    let names = Metric.allCases.map(\.rawValue)
    #expect(names.filter { !Self.added.contains($0) } == Self.contract)
    #expect(names.filter(Self.added.contains) == Self.added)
    #expect(
      Metric.allCases.filter(\.isCount).map(\.rawValue)
        == ["rows", "columns", "rank", "k", "k_gap", "numerical_rank", "intruder_count"].filter(names.contains))
    #expect(Delta.allCases.map(\.rawValue) == ["init", "init.magnitude", "init.direction", "pretrained", "previous"])
    #expect(Delta.allCases.sorted() == Delta.allCases)
  }

  @Test func aValueIsThereOnlyWhereOneWasStored() {
    var values = MetricValues()
    #expect(Metric.allCases.allSatisfy { values[$0] == nil })
    values[.rank] = 4
    values[.stableRank] = .infinity
    #expect(values[.rank] == 4 && values[.stableRank] == .infinity && values[.k] == nil)
    values[.rank] = .nan
    #expect(values[.rank] == nil)
    values[.stableRank] = nil
    #expect(values == MetricValues())
  }

  @Test func equalityComparesValuesAndGaps() {
    var (a, b) = (MetricValues(), MetricValues())
    (a[.rank], b[.rank]) = (4, 4)
    #expect(a == b)
    b[.k] = 1
    #expect(a != b)
    (a[.k], b[.k]) = (1, 2)
    #expect(a != b)
  }

  @Test(
    arguments: [(4, 100, 4), (nil, 100, 32), (nil, 50, 25), (64, 100, 50), (8, 1, 1), (1, 3, 1), (nil, 1, 1)]
      as [(Int?, Int, Int)])
  func directionsAreTheRankOrHalfTheSmallerSide(rank: Int?, smaller: Int, k: Int) {
    let scale = ModuleScale(baseNorm: 1, rank: rank, roundingNorm: 0)
    #expect(scale.directions(rows: smaller, columns: 1000) == k)
    #expect(scale.directions(rows: 1000, columns: smaller) == k)
  }

  private let spectrum = UpdateSpectrum(rows: 10, columns: 8, values: [4, 3], rankThreshold: 0.1)

  @Test func ratiosAreAgainstTheBase() {
    let values = MetricValues(
      of: spectrum,
      in: ModuleScale(baseNorm: 20, rank: 2, roundingNorm: 0.5, residualRoundingNorm: 2, stepsSincePrevious: 5))
    #expect(values[.rows] == 10 && values[.columns] == 8 && values[.rank] == 2 && values[.k] == 2)
    #expect(values[.frobeniusNorm] == 5 && values[.spectralNorm] == 4 && values[.relativeNorm] == 0.25)
    #expect(values[.roundingFloor] == 0.025 && values[.residualRounding] == 0.1 && values[.updateVelocity] == 0.05)
    #expect(values[.numericalRank] == 2 && values[.stableRank] == 25.0 / 16)
    #expect(values[.gapRank] == nil && values[.spectralRatio] == nil)
  }

  @Test func ratiosToAZeroBaseAreMissing() {
    let values = MetricValues(
      of: spectrum,
      in: ModuleScale(baseNorm: 0, rank: nil, roundingNorm: 0.5, residualRoundingNorm: 2, stepsSincePrevious: 5))
    #expect(values[.frobeniusNorm] == 5 && values[.rank] == nil && values[.k] == 4)
    for metric in [Metric.relativeNorm, .roundingFloor, .residualRounding, .updateVelocity] {
      #expect(values[metric] == nil)
    }
  }

  @Test func atZeroNormsStayAndShapesGo() {
    let zero = UpdateSpectrum(rows: 10, columns: 8, values: [0, 0], rankThreshold: 0)
    let values = MetricValues(
      of: zero, in: ModuleScale(baseNorm: 20, rank: 2, roundingNorm: 0.5, stepsSincePrevious: 5))
    for metric in [Metric.frobeniusNorm, .relativeNorm, .spectralNorm, .updateVelocity] { #expect(values[metric] == 0) }
    #expect(values[.rank] == 2 && values[.k] == 2 && values[.roundingFloor] == 0.025)
    for metric in [
      Metric.stableRank, .effectiveRank, .effectiveRankOfEnergy, .participationRatio, .nuclearRatio, .numericalRank,
    ] {
      #expect(values[metric] == nil)
    }
  }
}
