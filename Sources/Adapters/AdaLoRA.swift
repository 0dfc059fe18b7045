import LinearAlgebra
import OrderedCollections
import Weights

/// AdaLoRA (Zhang et al. 2023, section 3.1) as PEFT computes it: W_eff = W₀ + s·B·diag(E)·A with s = α/(ρ + 1e-5) and ρ the rank at the
/// start, E zero and A, B normal with a deviation of 0.02.
package struct AdaLoRA<S: TransformerScalar>: AdaptedWeight {
  package let frozenWeight: Matrix<S>
  let rank: Int
  let scaling: Double
  package let start: [S]

  /// Draws A, then B, which advances the generator.
  package init(weight: Matrix<S>, rank: Int, scaling: Double, generator: inout SeededGenerator) {
    (frozenWeight, self.rank, self.scaling) = (weight, rank, scaling)
    let factors = (0..<rank * (weight.columns + weight.rows)).map { _ in S(0.02 * generator.normal()) }
    start = factors + Array(repeating: 0, count: rank)
  }

  package var rows: Int { frozenWeight.rows }
  package var columns: Int { frozenWeight.columns }
  package var factorSpan: FactorSpan? { nil }

  package var tensors: [AdapterTensor] {
    [
      AdapterTensor("lora_A", [rank, columns]), AdapterTensor("lora_B", [rows, rank]),
      AdapterTensor("lora_E", [rank, 1]),
    ]
  }

  /// Where B and E begin among the parameters.
  private var offsets: (b: Int, e: Int) { (rank * columns, rank * (columns + rows)) }

  package func effectiveWeight(_ parameters: UnsafePointer<S>, into weight: UnsafeMutablePointer<S>) {
    weight.update(from: frozenWeight.elements, count: rows * columns)
    var scaled = [S](repeating: 0, count: rank * columns)
    S.kernels.scaleRows(parameters, parameters + offsets.e, rank, columns, &scaled)
    S.gemm(
      false, false, rows, columns, rank, S(scaling), parameters + offsets.b, rank, scaled, columns, 1, weight, columns)
  }

  /// With T = Bᵀ·G: ∂A = s·diag(E)·T, ∂Eᵢ = s·⟨Tᵢ, Aᵢ⟩, ∂B = s·G·(diag(E)·A)ᵀ.
  package func pullBack(
    _ g: UnsafePointer<S>, _ parameters: UnsafePointer<S>, into gradient: UnsafeMutablePointer<S>
  ) {
    let (s, e) = (S(scaling), parameters + offsets.e)
    var t = [S](repeating: 0, count: rank * columns)
    S.gemm(true, false, rank, columns, rows, s, parameters + offsets.b, rank, g, columns, 0, &t, columns)
    var dots = [S](repeating: 0, count: rank)
    S.kernels.rowDots(t, parameters, rank, columns, &dots)
    var scaled = [S](repeating: 0, count: rank * columns)
    S.kernels.scaleRows(t, e, rank, columns, &scaled)
    S.kernels.accumulate(scaled, rank * columns, gradient)
    S.kernels.accumulate(dots, rank, gradient + offsets.e)
    S.kernels.scaleRows(parameters, e, rank, columns, &scaled)
    S.gemm(false, true, rows, rank, columns, s, g, columns, scaled, columns, 1, gradient + offsets.b, rank)
  }

  package func update(from earlier: [S], to later: [S]) throws(LinearAlgebraError) -> ModuleUpdate {
    try .between(factors(earlier), factors(later))
  }

  private func factors(_ parameters: [S]) -> LoRAFactors {
    let b = Matrix<S>(rows: rows, columns: rank, elements: Array(parameters[offsets.b..<offsets.e]))
    return LoRAFactors(
      b: Matrix<Double>(b).scalingColumns(by: S.doubles(Array(parameters[offsets.e...]))),
      a: Matrix<Double>(Matrix<S>(rows: rank, columns: columns, elements: Array(parameters[..<offsets.b]))),
      scaling: scaling, format: .float32)
  }
}

package enum TrainedAdaLoRA: TrainedMethod {
  package static let method = AdapterMethod.adalora

  /// ρ, the rank at the start, where the configured rank is what modules have left on average at the end.
  package static func startRank(_ options: ResolvedAdapterOptions) -> Int {
    let adalora = options.options.adalora
    return adalora.initialRank ?? (adalora.allocates ? options.rank + (options.rank + 1) / 2 : options.rank)
  }

  package static func scaling(_ options: ResolvedAdapterOptions) -> Double? {
    options.alpha / (Double(startRank(options)) + 1e-5)
  }

  package static func allocation(_ options: ResolvedAdapterOptions) -> AdaLoRAOptions? {
    options.options.adalora.allocates ? options.options.adalora : nil
  }

  package static let peftType = StoredAdaLoRA.type
  package static let layerTensors: Set<String> = []

  package static func peftMembers(of adapter: ExportedAdapter) -> PEFTMembers {
    let configuration = adapter.configuration
    func own(_ name: String, _ standard: Int) -> JSONValue { configuration[name] ?? .integer(standard) }
    let defaults = AdaLoRAOptions()
    let initial = adapter.firstExtent(of: "lora_A") ?? 1
    return [
      "init_r": .integer(initial), "target_r": .integer(adapter.rank ?? initial),
      "lora_alpha": .number(adapter.alpha ?? Double(initial)), "lora_dropout": adapter.dropout,
      "tinit": own("adalora_initial_steps", defaults.initialSteps),
      "tfinal": own("adalora_final_steps", defaults.finalSteps), "deltaT": own("adalora_interval", defaults.interval),
      "beta1": .number(defaults.beta1), "beta2": .number(defaults.beta2),
      "orth_reg_weight": configuration["adalora_orthogonality"] ?? .number(defaults.orthogonality),
      "total_step": .integer(updates(of: configuration)),
      "bias": "none", "init_lora_weights": true, "target_modules": adapter.paths(),
    ]
  }

  /// Optimiser steps of the whole run, at least one. Supervised learning has no rollout to use again.
  private static func updates(of configuration: JSONValue) -> Int {
    let perStep = configuration["objective"]?.string == "sft" ? 1 : configuration["updates_per_rollout"]?.int ?? 1
    return max(1, (configuration["steps"]?.int ?? 1) * perStep)
  }

  /// E alone moves at first: s·√(Σ‖a_k‖²‖b_k‖²), where E‖a_k‖² = 0.02²·n and E‖b_k‖² = 0.02²·m.
  package static func startStepNorm(_ layer: PlannedLayer, _ options: ResolvedAdapterOptions) -> Double? {
    let terms = Double(startRank(options)).squareRoot() * StepLaw.entries(rows: layer.rows, columns: layer.columns)
    return scaling(options).map { $0 * 0.02 * 0.02 * terms }
  }

  package static func adapting<S: TransformerScalar>(
    _ layer: LayerToAdapt<S>, options: ResolvedAdapterOptions, generator: inout SeededGenerator
  ) throws(LinearAlgebraError) -> any AdaptedWeight<S> {
    AdaLoRA(
      weight: layer.weight, rank: startRank(options), scaling: scaling(options)!, generator: &generator)
  }
}

// MARK: - On disk

/// AdaLoRA (Zhang et al. 2023, section 3.1) in PEFT's form: ΔW = α/(ρ + 1e-5)·B·diag(E)·A, where ρ is the rank that every module
/// began with (`init_r`; `r` means nothing here), whatever it has been cut to since.
///
/// E may be negative. Triplets that the allocator has masked have E = 0 and stay in the file until a module is cut for good, then
/// to as little as no triplet at all: `lora_A` of [0, columns].
package enum StoredAdaLoRA: StoredMethod {
  package static let type = "ADALORA"
  package static let method = AdapterMethod.adalora
  package static let parts: Set = ["lora_A", "lora_B", "lora_E"]
  /// `rank_pattern` holds lists of booleans here, which the tensors follow already.
  package static let fields = ConfigurationFields(rank: "init_r", defaultRank: 12, hasPatterns: false)

  package static func module(_ found: FoundTensors) throws(UnfitModule) -> AdapterFolder.Module {
    let (a, b, e) = (try found.shape("lora_A"), try found.shape("lora_B"), try found.shape("lora_E"))
    guard a[0] == b[1], e == [a[0], 1], a[1] > 0, b[0] > 0 else {
      throw UnfitModule("lora_A of \(a), lora_B of \(b) and lora_E of \(e) do not fit each other")
    }
    let kept = try? found.weights.read(found.names["lora_E"]!, as: Double.self).count { $0 != 0 }
    return found.module(
      Self.self, rows: b[0], columns: a[1], rank: kept ?? a[0], scaling: scaling(found.configuration))
  }

  /// s = α/(ρ + 1e-5); PEFT takes ρ for an α that is not positive.
  private static func scaling(_ configuration: PEFTConfiguration) -> Double {
    let rho = Double(configuration.rank)
    return (configuration.alpha > 0 ? configuration.alpha : rho) / (rho + 1e-5)
  }

  package static func weight(
    of module: AdapterFolder.Module, at match: ModuleMatcher.Match, in folder: AdapterFolder
  ) throws(FileError) -> any StoredWeight {
    let (b, e) = (try folder.matrix("lora_B", of: module), try folder.values("lora_E", of: module))
    var factors = LoRAFactors(
      b: b.scalingColumns(by: e), a: try folder.matrix("lora_A", of: module), scaling: module.scaling!,
      format: module.format)
    factors.unscaledStepNorm = try? unscaledStepNorm(b: b, e: e, a: factors.a)
    return factors
  }

  /// √(m·ΣE_k²‖a_k‖² + n·ΣE_k²‖b_k‖² + Σ‖a_k‖²‖b_k‖²): at the start, where E = 0, the last term alone. PEFT leaves ρ trainable, too; what
  /// that moves is left out.
  static func unscaledStepNorm(
    b: Matrix<Double>, e: [Double], a: Matrix<Double>
  ) throws(LinearAlgebraError) -> Double {
    let (aNorms, bNorms) = (try a.scaledRowNorms(), try b.columnNorms())
    return euclideanNorm([
      Double(b.rows).squareRoot() * euclideanNorm(zip(e, aNorms).map { $0 * $1 }),
      Double(a.columns).squareRoot() * euclideanNorm(zip(e, bNorms).map { $0 * $1 }),
      euclideanNorm(zip(aNorms, bNorms).map { $0 * $1 }),
    ])
  }
}
