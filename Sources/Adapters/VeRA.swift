import LinearAlgebra
import OrderedCollections
import Weights

/// VeRA (Kopiczko et al. 2024, section 3.1) as PEFT computes it: W_eff = W₀ + diag(λ_b)·B_f·diag(λ_d)·A_f, with λ_b zero and λ_d constant
/// at the start. A_f and B_f are frozen, random, and shared by all modules, of which each takes the first columns and rows.
package struct VeRA<S: TransformerScalar>: AdaptedWeight {
  package let frozenWeight: Matrix<S>
  /// r × columns.
  let a: Matrix<S>
  /// rows × r.
  let b: Matrix<S>
  let initial: Double

  /// - Parameters:
  ///   - a: A_f, r × at least the weight's columns.
  ///   - b: B_f, at least the weight's rows × r.
  package init(weight: Matrix<S>, a: Matrix<S>, b: Matrix<S>, initial: Double) {
    frozenWeight = weight
    self.a = Matrix(a.view[0..<a.rows, 0..<weight.columns])
    self.b = Matrix(b.view[0..<weight.rows, 0..<b.columns])
    self.initial = initial
  }

  package var rows: Int { frozenWeight.rows }
  package var columns: Int { frozenWeight.columns }
  private var rank: Int { a.rows }
  package var factorSpan: FactorSpan? { nil }

  package var tensors: [AdapterTensor] {
    [AdapterTensor("vera_lambda_b", [rows]), AdapterTensor("vera_lambda_d", [rank])]
  }

  package var start: [S] { Array(repeating: 0, count: rows) + Array(repeating: S(initial), count: rank) }

  package func effectiveWeight(_ parameters: UnsafePointer<S>, into weight: UnsafeMutablePointer<S>) {
    weight.update(from: frozenWeight.elements, count: rows * columns)
    var left = [S](repeating: 0, count: rows * rank)
    var right = [S](repeating: 0, count: rank * columns)
    S.kernels.scaleRows(b.elements, parameters, rows, rank, &left)
    S.kernels.scaleRows(a.elements, parameters + rows, rank, columns, &right)
    S.gemm(false, false, rows, columns, rank, 1, left, rank, right, columns, 1, weight, columns)
  }

  /// With H = (G·A_fᵀ) ∘ B_f: ∂λ_b = H·λ_d and ∂λ_d = Hᵀ·λ_b.
  package func pullBack(
    _ g: UnsafePointer<S>, _ parameters: UnsafePointer<S>, into gradient: UnsafeMutablePointer<S>
  ) {
    var h = [S](repeating: 0, count: rows * rank)
    S.gemm(false, true, rows, rank, columns, 1, g, columns, a.elements, columns, 0, &h, rank)
    for i in 0..<rows {
      var sum = S.zero
      for k in 0..<rank {
        let value = h[i * rank + k] * b.elements[i * rank + k]
        sum += value * parameters[rows + k]
        gradient[rows + k] += value * parameters[i]
      }
      gradient[i] += sum
    }
  }

  package func update(from earlier: [S], to later: [S]) throws(LinearAlgebraError) -> ModuleUpdate {
    try .between(factors(earlier), factors(later))
  }

  private func factors(_ parameters: [S]) -> LoRAFactors {
    let values = S.doubles(parameters)
    let left = Matrix<Double>(b).scalingRows(by: Array(values[..<rows])).scalingColumns(by: Array(values[rows...]))
    var factors = LoRAFactors(b: left, a: Matrix<Double>(a), scaling: 1, format: .float32)
    factors.reach = .frozenRows(factors.a)
    return factors
  }
}

package enum TrainedVeRA: TrainedMethod {
  package static let method = AdapterMethod.vera
  /// Its parameters are few whatever the rank is.
  package static let defaultRank = 64
  package static func largestRank(rows: Int, columns: Int) -> Int? { 1 << 16 }
  package static func scaling(_ options: ResolvedAdapterOptions) -> Double? { nil }

  /// Kaiming's uniform distribution with a gain of √2 on the fan-in: ±√(6/columns) for A_f, ±√(6/r) for B_f.
  package static func shared<S: TransformerScalar>(
    rows: Int, columns: Int, options: ResolvedAdapterOptions, generator: inout SeededGenerator
  ) -> [SharedTensor<S>] {
    func uniform(_ rows: Int, _ columns: Int) -> Matrix<S> {
      let bound = (6 / Double(columns)).squareRoot()
      let values = (0..<rows * columns).map { _ in S((2 * generator.uniform() - 1) * bound) }
      return Matrix(rows: rows, columns: columns, elements: values)
    }
    let a = uniform(options.rank, columns)
    return [SharedTensor(name: "vera_A", matrix: a), SharedTensor(name: "vera_B", matrix: uniform(rows, options.rank))]
  }

  package static let peftType = StoredVeRA.type

  package static func peftMembers(of adapter: ExportedAdapter) -> PEFTMembers {
    [
      "r": .integer(adapter.rank ?? adapter.firstExtent(of: "vera_lambda_d") ?? 1), "vera_dropout": adapter.dropout,
      "d_initial": adapter.configuration["vera_initial"] ?? .number(AdapterOptions().veraInitial),
      "projection_prng_key": 0, "save_projection": true, "bias": "none", "init_weights": true,
      "target_modules": adapter.paths(),
    ]
  }

  /// λ_b alone moves at first: d·‖B_f·A_f‖_F with λ_d = d, where E‖B_f·A_f‖_F² = 4·m·n/N for projections that are drawn for N columns.
  package static func startStepNorm(_ layer: PlannedLayer, _ options: ResolvedAdapterOptions) -> Double? {
    let entries = StepLaw.entries(rows: layer.rows, columns: layer.columns)
    return 2 * abs(options.options.veraInitial) * entries / Double(layer.widestColumns).squareRoot()
  }

  package static func adapting<S: TransformerScalar>(
    _ layer: LayerToAdapt<S>, options: ResolvedAdapterOptions, generator: inout SeededGenerator
  ) throws(LinearAlgebraError) -> any AdaptedWeight<S> {
    VeRA(
      weight: layer.weight, a: layer.shared[0].matrix, b: layer.shared[1].matrix,
      initial: options.options.veraInitial)
  }
}

// MARK: - On disk

/// VeRA (Kopiczko et al. 2024, section 3.1) in PEFT's form: ΔW = diag(λ_b)·B_f·diag(λ_d)·A_f, with λ_b and λ_d a module's own and
/// A_f, B_f frozen, random, and shared by all modules, of which each takes the first columns and rows.
///
/// Its ‖J‖_F is √(‖B_f·diag(λ_d)·A_f‖_F² + Σ_k‖λ_b ∘ b_k‖²‖a_k‖²): moving a number of λ_b moves a row, one of λ_d a term. At the start
/// λ_b = 0, so that λ_d moves nothing.
///
/// The rows of ΔW stay in the span of A_f's. Without the projections in the file (`save_projection=False`) they would have to be
/// drawn again by PyTorch's own generator, so that nothing can be said of ΔW.
package enum StoredVeRA: StoredMethod {
  package static let type = "VERA"
  package static let method = AdapterMethod.vera
  package static let parts: Set = ["vera_lambda_b", "vera_lambda_d", "vera_A", "vera_B"]
  package static let fields = ConfigurationFields(
    defaultRank: 256, alpha: nil, start: "init_weights", hasPatterns: false)

  package static func module(_ found: FoundTensors) throws(UnfitModule) -> AdapterFolder.Module {
    let (b, d) = (try found.shape("vera_lambda_b", axes: 1), try found.shape("vera_lambda_d", axes: 1))
    guard found.shared["vera_A"] != nil, found.shared["vera_B"] != nil else {
      throw UnfitModule(
        "the projections vera_A and vera_B are not in the file, and without them its update cannot be known. Save the "
          + "adapter again with save_projection=True in its configuration, where it was trained")
    }
    let (projectionA, projectionB) = (try found.shape("vera_A"), try found.shape("vera_B"))
    guard d[0] <= projectionA[0], d[0] <= projectionB[1], b[0] <= projectionB[0], d[0] > 0, b[0] > 0 else {
      throw UnfitModule(
        "vera_lambda_b of \(b) and vera_lambda_d of \(d) do not fit vera_A of \(projectionA) and vera_B of \(projectionB)"
      )
    }
    return found.module(Self.self, rows: b[0], columns: nil, rank: d[0], scaling: 1)
  }

  package static func weight(
    of module: AdapterFolder.Module, at match: ModuleMatcher.Match, in folder: AdapterFolder
  ) throws(FileError) -> any StoredWeight {
    let (projectionA, projectionB) = (try folder.matrix("vera_A", of: module), try folder.matrix("vera_B", of: module))
    let (rows, columns, rank) = (module.rows!, module.columns!, module.rank!)
    guard columns <= projectionA.columns else {
      throw FileError(
        .badContent, path: folder.weights.path, object: "tensor \"vera_A\"",
        "expected at least the \(columns) columns of \(module.path), found \(projectionA.columns)")
    }
    let a = Matrix(projectionA.view[0..<rank, 0..<columns])
    let lambdaD = try folder.values("vera_lambda_d", of: module)
    let lambdaB = try folder.values("vera_lambda_b", of: module)
    // λ_d goes to the side of λ_b, so that the factor on the right is the frozen one.
    let frozen = Matrix(projectionB.view[0..<rows, 0..<rank])
    let scaled = frozen.scalingRows(by: lambdaB)
    var factors = LoRAFactors(b: scaled.scalingColumns(by: lambdaD), a: a, scaling: 1, format: module.format)
    factors.reach = .frozenRows(a)
    let outer = LoRAFactors(b: scaled, a: a, scaling: 1, format: module.format).finiteTermsNorm()
    factors.unscaledStepNorm = euclideanNorm([productNorm(frozen.scalingColumns(by: lambdaD), a), outer])
    return factors
  }
}
