import LinearAlgebra
import OrderedCollections
import Weights

/// DoRA (Liu et al. 2024, section 4): W_eff = diag(m ⊘ c)·V with V = W₀ + s·B·A and c the norms of V's rows, one an output.
///
/// c is detached: it follows A and B in every forward pass, and no gradient goes through it (section 4.3), as in PEFT.
package struct DoRA<S: TransformerScalar>: AdaptedWeight {
  let direction: FactorPair<S>

  /// Draws A, which advances the generator.
  package init(weight: Matrix<S>, rank: Int, scaling: Double, generator: inout SeededGenerator) {
    direction = LoRA(weight: weight, rank: rank, scaling: scaling, generator: &generator).pair
  }

  package var rows: Int { direction.frozen.rows }
  package var columns: Int { direction.frozen.columns }
  private var rank: Int { direction.a.rows }
  private var factorCount: Int { direction.a.elements.count + direction.b.elements.count }

  package var frozenWeight: Matrix<S> { direction.frozen }

  package var tensors: [AdapterTensor] {
    [
      AdapterTensor("lora_A", [rank, columns]), AdapterTensor("lora_B", [rows, rank]),
      AdapterTensor("lora_magnitude_vector", [rows]),
    ]
  }

  /// The gradients need the norms of whole rows, and with them the dense G.
  package var factorSpan: FactorSpan? { nil }

  package var start: [S] {
    direction.a.elements + direction.b.elements + Self.rowNorms(direction.frozen)
  }

  package func effectiveWeight(_ parameters: UnsafePointer<S>, into weight: UnsafeMutablePointer<S>) {
    LoRA(pair: direction).effectiveWeight(parameters, into: weight)
    let gains = gains(parameters, direction: weight)
    S.kernels.scaleRows(weight, gains, rows, columns, weight)
  }

  /// With V' = W_eff's direction: ∂L/∂V = diag(m ⊘ c)·G, and ∂L/∂mᵢ = ⟨Gᵢ, Vᵢ⟩/cᵢ.
  package func pullBack(
    _ g: UnsafePointer<S>, _ parameters: UnsafePointer<S>, into gradient: UnsafeMutablePointer<S>
  ) {
    var v = [S](repeating: 0, count: rows * columns)
    LoRA(pair: direction).effectiveWeight(parameters, into: &v)
    var norms = [S](repeating: 0, count: rows)
    var dots = norms
    S.kernels.rowNorms(v, rows, columns, &norms)
    S.kernels.rowDots(g, v, rows, columns, &dots)
    for i in 0..<rows { gradient[factorCount + i] += dots[i] / norms[i] }
    let gains = gains(parameters, direction: v)
    S.kernels.scaleRows(g, gains, rows, columns, &v)
    LoRA(pair: direction).pullBack(v, parameters, into: gradient)
  }

  package func update(from earlier: [S], to later: [S]) throws(LinearAlgebraError) -> ModuleUpdate {
    try .whole(from: effectiveMatrix(earlier), to: effectiveMatrix(later), roundings: [])
  }

  private func effectiveMatrix(_ parameters: [S]) -> Matrix<Double> {
    var weight = Matrix<S>(rows: rows, columns: columns)
    effectiveWeight(parameters, into: &weight.elements)
    return Matrix(weight)
  }

  /// m ⊘ c.
  private func gains(_ parameters: UnsafePointer<S>, direction v: UnsafePointer<S>) -> [S] {
    var gains = [S](repeating: 0, count: rows)
    S.kernels.rowNorms(v, rows, columns, &gains)
    for i in 0..<rows { gains[i] = parameters[factorCount + i] / gains[i] }
    return gains
  }

  private static func rowNorms(_ weight: Matrix<S>) -> [S] {
    var norms = [S](repeating: 0, count: weight.rows)
    S.kernels.rowNorms(weight.elements, weight.rows, weight.columns, &norms)
    return norms
  }
}

package enum TrainedDoRA: TrainedMethod {
  package static let method = AdapterMethod.dora

  package static func peftMembers(of adapter: ExportedAdapter) -> PEFTMembers {
    loraMembers(of: adapter).merging(["use_dora": true]) { $1 }
  }

  /// At the start m ⊘ c = 1, and each of the m magnitudes moves a unit row.
  package static func startStepNorm(_ layer: PlannedLayer, _ options: ResolvedAdapterOptions) -> Double? {
    euclideanNorm([
      StepLaw.loraStart(rows: layer.rows, rank: options.rank, scaling: options.ratio), Double(layer.rows).squareRoot(),
    ])
  }

  package static func adapting<S: TransformerScalar>(
    _ layer: LayerToAdapt<S>, options: ResolvedAdapterOptions, generator: inout SeededGenerator
  ) throws(LinearAlgebraError) -> any AdaptedWeight<S> {
    DoRA(weight: layer.weight, rank: options.rank, scaling: options.ratio, generator: &generator)
  }
}

// MARK: - As a state of training

/// What DoRA has made of a weight: W_eff = diag(g)·V with V = W₀ + Δ, g = m ⊘ c and c the norms of V's rows.
///
/// Δ = s·B·A, or s·(B·A − B₀·A₀) where s·B₀·A₀ was taken out of the base at the start.
package struct DoRAWeight: StoredWeight {
  package var factors: LoRAFactors
  package var magnitude: [Double]
  /// B₀ and A₀ where the base is W₀ − s·B₀·A₀.
  package var taken: LoRAFactors?

  package init(factors: LoRAFactors, magnitude: [Double], taken: LoRAFactors? = nil) {
    self.factors = factors
    self.magnitude = magnitude
    self.taken = taken
  }

  /// Δ.
  private var direction: LowRankProduct { taken.map { factors.difference(from: $0) } ?? factors.product }

  /// g over the weight V: 1 where a row is zero, which no gain changes.
  private func gains(over v: Matrix<Double>) throws(LinearAlgebraError) -> [Double] {
    zip(magnitude, try v.transposedCopy().columnNorms()).map { $1 > 0 ? $0 / $1 : 1 }
  }

  /// g·Δ as factors, with the gains on the left.
  private func scaledDirection(_ g: [Double]) -> LowRankProduct {
    LowRankProduct(left: direction.left.scalingRows(by: g), right: direction.right)
  }

  /// With g₀ and Δ₀ of the earlier state (1 and 0 for W₀): (g − g₀)·W₀, and g·Δ − g₀·Δ₀, of which no term is larger than the change
  /// itself.
  private func terms(
    from earlier: DoRAWeight?, over base: any PretrainedWeight
  ) throws -> (magnitude: Matrix<Double>, direction: LowRankProduct) {
    let weight = try base.matrix()
    let g = try gains(over: weight + direction.dense())
    let now = scaledDirection(g)
    guard let earlier else { return (weight.scalingRows(by: g.map { $0 - 1 }), now) }
    let g0 = try earlier.gains(over: weight + earlier.direction.dense())
    let before = earlier.scaledDirection(g0)
    let magnitude = weight.scalingRows(by: zip(g, g0).map { $0 - $1 })
    return (magnitude, Self.difference(now, before))
  }

  private static func difference(_ now: LowRankProduct, _ before: LowRankProduct) -> LowRankProduct {
    if before.left.elements.allSatisfy({ $0 == 0 }) || before.right.elements.allSatisfy({ $0 == 0 }) { return now }
    guard now.terms == before.terms else {
      return LowRankProduct(
        left: .sideBySide([now.left, before.left.scaled(by: -1)]), right: .stacked([now.right, before.right]))
    }
    return LowRankProduct(
      left: .sideBySide([now.left - before.left, before.left]), right: .stacked([now.right, now.right - before.right]))
  }

  package func change(
    from earlier: (any StoredWeight)?, over base: any PretrainedWeight
  ) throws -> ModuleUpdate? {
    guard earlier == nil || earlier is DoRAWeight else { return nil }
    let terms = try terms(from: earlier as? DoRAWeight, over: base)
    let rounding = euclideanNorm(try roundings(from: earlier).flatMap { [$0.factors, $0.magnitude] })
    return ModuleUpdate(content: dense(terms.magnitude + terms.direction.dense()), roundingNorm: rounding)
  }

  package func parts(
    from earlier: (any StoredWeight)?, over base: any PretrainedWeight
  ) throws -> [(part: UpdatePart, update: ModuleUpdate)] {
    guard earlier == nil || earlier is DoRAWeight else { return [] }
    let terms = try terms(from: earlier as? DoRAWeight, over: base)
    let roundings = try roundings(from: earlier)
    return [
      (
        .magnitude,
        ModuleUpdate(
          content: dense(terms.magnitude), roundingNorm: euclideanNorm(roundings.map(\.magnitude)), reach: .rowScaling)
      ),
      (
        .direction,
        ModuleUpdate(content: .factored(terms.direction), roundingNorm: euclideanNorm(roundings.map(\.factors)))
      ),
    ]
  }

  /// √(s²·‖g‖²·‖A‖_F² + n·s²·Σ_k‖g ∘ b_k‖² + Σᵢ(‖Vᵢ‖/cᵢ)²): A's and B's as LoRA's with the gains on the left, and one unit row for each
  /// magnitude. c is detached, so that A and B move V alone.
  package func stepNorm(over base: any PretrainedWeight) throws -> Double? {
    let v = try base.matrix() + direction.dense()
    let g = try gains(over: v)
    let moved = try v.scaledRowNorms().count { $0 > 0 }
    let s = abs(factors.scaling)
    return euclideanNorm([
      s * euclideanNorm(g) * (try factors.a.frobeniusNorm()),
      s * Double(v.columns).squareRoot() * (try factors.b.scalingRows(by: g).frobeniusNorm()),
      Double(moved).squareRoot(),
    ])
  }

  /// Row i of W_eff has the norm mᵢ.
  private func dense(_ change: Matrix<Double>) -> ModuleUpdate.Content {
    .dense(change, laterNorm: euclideanNorm(magnitude))
  }

  /// The rms norms of what rounding the stored tensors does to W_eff, and to the earlier one: that of s·B·A, and η·‖m‖, since rounding
  /// mᵢ by η·|mᵢ| moves row i, whose direction has the norm 1, by as much. The gains are near 1.
  private func roundings(
    from earlier: (any StoredWeight)?
  ) throws(LinearAlgebraError) -> [(factors: Double, magnitude: Double)] {
    let states = [self] + ((earlier as? DoRAWeight).map { [$0] } ?? [])
    return try states.map { state throws(LinearAlgebraError) in
      (try state.factors.roundingNorm(), state.factors.format.rmsRounding * euclideanNorm(state.magnitude))
    }
  }
}

// MARK: - On disk

/// DoRA's tensors in PEFT's form: LoRA's, and `lora_magnitude_vector`, one number an output.
package enum StoredDoRA: StoredMethod {
  package static let type = "LORA"
  package static let method = AdapterMethod.dora
  package static let parts = StoredLoRA.parts.union(["lora_magnitude_vector"])

  package static func owns(_ found: FoundTensors) -> Bool {
    found.names["lora_magnitude_vector"] != nil || found.configuration.usesDoRA
  }

  package static func module(_ found: FoundTensors) throws(UnfitModule) -> AdapterFolder.Module {
    var module = try StoredLoRA.module(found)
    let magnitude = try found.shape("lora_magnitude_vector", axes: 1)
    guard magnitude == [module.rows] else {
      throw UnfitModule("expected \(module.rows!) magnitudes, one an output, found \(magnitude)")
    }
    module.stored = StoredForm(Self.self)
    return module
  }

  package static func weight(
    of module: AdapterFolder.Module, at match: ModuleMatcher.Match, in folder: AdapterFolder
  ) throws(FileError) -> any StoredWeight {
    DoRAWeight(
      factors: try StoredLoRA.factors(of: module, in: folder),
      magnitude: try folder.values("lora_magnitude_vector", of: module))
  }

  package static func isUntrained(
    _ module: AdapterFolder.Module, in folder: AdapterFolder
  ) throws(FileError) -> Bool { false }
}
