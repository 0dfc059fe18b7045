import Foundation
import LinearAlgebra

/// The spectrum of one update ΔW, and every number that follows from it alone.
package struct UpdateSpectrum: Equatable, Sendable {
  package var rows: Int
  package var columns: Int
  /// Descending τ₁ ≥ τ₂ ≥ …; all values of a factored update, all min(rows, columns) of a dense one.
  package var values: [Double]
  /// Values at or below this are no different from zero in what is stored.
  package var rankThreshold: Double
  /// What singular vectors follow from without further ado, where the factors allow it.
  package var core: GramCore?

  /// The spectrum of a factored update, without forming it.
  ///
  /// What is stored are the factors, so the rank is limited by Float64 arithmetic alone: values at or below
  /// max(rows, columns)·2⁻⁵²·τ₁ count as zero.
  ///
  /// - Throws: `LinearAlgebraError.nonFinite` or `notConverged`. Cost O((rows + columns)·terms²).
  package init(of update: LowRankProduct) throws(LinearAlgebraError) {
    let core = try update.gramCore()
    let values = if let core { core.values } else { try update.singularValues().values }
    let threshold = Double(max(update.rows, update.columns)) * 0x1p-52 * (values.first ?? 0)
    self.init(rows: update.rows, columns: update.columns, values: values, rankThreshold: threshold)
    self.core = core
  }

  /// The spectrum of a difference of whole weights that are stored with the rms relative rounding error `rounding` (η).
  ///
  /// Rounding every entry of W₊ by η·|entry| adds a random matrix whose largest singular value is near
  /// η·‖W₊‖_F·(√rows + √columns)/√(rows·columns) (Davidson and Szarek 2001); values at or below it count as zero.
  ///
  /// - Throws: `LinearAlgebraError.nonFinite` or `notConverged`. Cost O(rows·columns·min(rows, columns)).
  package init(of update: Matrix<Double>, laterNorm: Double, rounding: Double) throws(LinearAlgebraError) {
    let (m, n) = (Double(update.rows), Double(update.columns))
    let threshold = rounding * laterNorm * (m.squareRoot() + n.squareRoot()) / (m * n).squareRoot()
    self.init(
      rows: update.rows, columns: update.columns, values: try singularValues(of: update), rankThreshold: threshold)
  }

  package init(rows: Int, columns: Int, values: [Double], rankThreshold: Double) {
    self.rows = rows
    self.columns = columns
    self.values = values
    self.rankThreshold = rankThreshold
  }

  /// ‖ΔW‖₂ = τ₁.
  package var spectralNorm: Double { values.first ?? 0 }

  /// ‖ΔW‖_F = √(Σ τ²).
  package var frobeniusNorm: Double { spectralNorm * energy.squareRoot() }

  /// How many values stand above the threshold.
  package var numericalRank: Int { values.count { $0 > rankThreshold } }

  /// Values relative to the largest, so that no power of them overflows; empty for ΔW = 0.
  private var relativeValues: [Double] {
    spectralNorm > 0 ? values.map { $0 / spectralNorm } : []
  }

  private var energy: Double { relativeValues.reduce(0) { $0 + $1 * $1 } }

  /// ‖ΔW‖_F²/‖ΔW‖₂², in [1, rank] (Rudelson and Vershynin 2007); nil for ΔW = 0.
  package var stableRank: Double? { spectralNorm > 0 ? energy : nil }

  /// exp of the entropy of τᵢ/Στ, in [1, rank] (Roy and Vetterli 2007); nil for ΔW = 0.
  ///
  /// It takes the values themselves, not their squares; see `effectiveRankOfEnergy`. Scale-free. Just after the start of a
  /// LoRA run it is near r for reasons of noise: a level means nothing without the run's own past.
  package var effectiveRank: Double? { effectiveRank(of: relativeValues) }

  /// exp of the entropy of τᵢ²/Στ², in [1, rank]; nil for ΔW = 0. Never above `effectiveRank`.
  package var effectiveRankOfEnergy: Double? { effectiveRank(of: relativeValues.map { $0 * $0 }) }

  /// (Στ²)²/Στ⁴, in [1, rank]; nil for ΔW = 0.
  package var participationRatio: Double? {
    let fourth = relativeValues.reduce(0) { $0 + $1 * $1 * $1 * $1 }
    return spectralNorm > 0 ? energy * energy / fourth : nil
  }

  /// ‖ΔW‖_*/‖ΔW‖_F = Στ/√(Στ²), in [1, √rank]; nil for ΔW = 0.
  package var nuclearRatio: Double? {
    spectralNorm > 0 ? relativeValues.reduce(0, +) / energy.squareRoot() : nil
  }

  /// The Roy–Vetterli effective rank of any non-negative weights: exp(−Σ p ln p) with p = weight/Σ weights.
  private func effectiveRank(of weights: [Double]) -> Double? {
    guard spectralNorm > 0 else { return nil }
    let sum = weights.reduce(0, +)
    return exp(weights.reduce(0) { $1 > 0 ? $0 - $1 / sum * log($1 / sum) : $0 })
  }
}

/// What the metrics of a module's update need beside its spectrum.
package struct ModuleScale: Equatable, Sendable {
  /// ‖W₀‖_F of the base weight.
  package var baseNorm: Double
  /// The configured rank, which decides k; nil for whole weights and diagonal updates.
  package var rank: Int?
  /// The rank to report, where it is another: of AdaLoRA what is left.
  package var reportedRank: Int?
  /// The number of directions to look at instead of the rank.
  package var directions: Int?
  /// The rms Frobenius norm of the rounding of what is stored.
  package var roundingNorm: Double
  /// The Frobenius norm of what rounding a residual base costs; nil where there is none.
  package var residualRoundingNorm: Double?
  /// Steps since the previous checkpoint, for `previous`; nil otherwise.
  package var stepsSincePrevious: Int?

  package init(
    baseNorm: Double, rank: Int?, reportedRank: Int? = nil, directions: Int? = nil, roundingNorm: Double,
    residualRoundingNorm: Double? = nil, stepsSincePrevious: Int? = nil
  ) {
    self.baseNorm = baseNorm
    self.rank = rank
    self.reportedRank = reportedRank ?? rank
    self.directions = directions
    self.roundingNorm = roundingNorm
    self.residualRoundingNorm = residualRoundingNorm
    self.stepsSincePrevious = stepsSincePrevious
  }

  /// k, the number of directions that metrics of the leading subspace look at: the configured rank (32 where there is none),
  /// at most ⌊min(rows, columns)/2⌋, at least 1.
  package func directions(rows: Int, columns: Int) -> Int {
    Self.directions(rank: directions ?? rank, rows: rows, columns: columns)
  }

  /// The same for a given rank.
  package static func directions(rank: Int?, rows: Int, columns: Int) -> Int {
    max(1, min(rank ?? 32, min(rows, columns) / 2))
  }
}

extension MetricValues {
  /// The metrics of depth `update`: sizes, shapes, floors and velocity. Ratios to ‖W₀‖_F are missing where that is 0; shapes are
  /// missing at ΔW = 0, where norms and velocity are 0.
  package init(of spectrum: UpdateSpectrum, in scale: ModuleScale) {
    self.init()
    self[.rows] = Double(spectrum.rows)
    self[.columns] = Double(spectrum.columns)
    self[.rank] = scale.reportedRank.map(Double.init)
    self[.k] = Double(scale.directions(rows: spectrum.rows, columns: spectrum.columns))
    self[.frobeniusNorm] = spectrum.frobeniusNorm
    self[.spectralNorm] = spectrum.spectralNorm
    self[.stableRank] = spectrum.stableRank
    self[.effectiveRank] = spectrum.effectiveRank
    self[.effectiveRankOfEnergy] = spectrum.effectiveRankOfEnergy
    self[.participationRatio] = spectrum.participationRatio
    self[.nuclearRatio] = spectrum.nuclearRatio
    self[.numericalRank] = spectrum.spectralNorm > 0 ? Double(spectrum.numericalRank) : nil
    guard scale.baseNorm > 0 else { return }
    let relative = spectrum.frobeniusNorm / scale.baseNorm
    self[.relativeNorm] = relative
    self[.roundingFloor] = scale.roundingNorm / scale.baseNorm
    self[.residualRounding] = scale.residualRoundingNorm.map { $0 / scale.baseNorm }
    self[.updateVelocity] = scale.stepsSincePrevious.map { relative / Double($0) }
  }
}
