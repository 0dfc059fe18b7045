import LinearAlgebra
import OrderedCollections
import Weights

/// IA3 (Liu et al. 2022, section 3.3) as PEFT computes it: gains l, 1 at the start, on what a layer gives, so that W_eff = diag(l)·W₀ and
/// its bias is l ∘ b; or on what a feed-forward layer is given, W_eff = W₀·diag(l).
package struct IA3<S: TransformerScalar>: AdaptedWeight {
  package let frozenWeight: Matrix<S>
  let bias: [S]?
  let scalesRows: Bool

  package init(weight: Matrix<S>, bias: [S]?, scalesRows: Bool) {
    (frozenWeight, self.bias, self.scalesRows) = (weight, bias, scalesRows)
  }

  package var rows: Int { frozenWeight.rows }
  package var columns: Int { frozenWeight.columns }
  package var factorSpan: FactorSpan? { nil }
  package var tensors: [AdapterTensor] { [AdapterTensor("ia3_l", scalesRows ? [rows, 1] : [1, columns])] }
  package var start: [S] { Array(repeating: 1, count: scalesRows ? rows : columns) }

  package func effectiveWeight(_ parameters: UnsafePointer<S>, into weight: UnsafeMutablePointer<S>) {
    if scalesRows { return S.kernels.scaleRows(frozenWeight.elements, parameters, rows, columns, weight) }
    for i in 0..<rows {
      for j in 0..<columns { weight[i * columns + j] = frozenWeight.elements[i * columns + j] * parameters[j] }
    }
  }

  package func pullBack(
    _ g: UnsafePointer<S>, _ parameters: UnsafePointer<S>, into gradient: UnsafeMutablePointer<S>
  ) {
    if scalesRows {
      var dots = [S](repeating: 0, count: rows)
      S.kernels.rowDots(g, frozenWeight.elements, rows, columns, &dots)
      return S.kernels.accumulate(dots, rows, gradient)
    }
    for i in 0..<rows {
      for j in 0..<columns { gradient[j] += g[i * columns + j] * frozenWeight.elements[i * columns + j] }
    }
  }

  package var changesBias: Bool { scalesRows && bias != nil }

  package func effectiveBias(_ parameters: UnsafePointer<S>, into effective: UnsafeMutablePointer<S>) {
    guard let bias else { return }
    for i in 0..<rows { effective[i] = bias[i] * parameters[i] }
  }

  package func pullBackBias(_ g: UnsafePointer<S>, into gradient: UnsafeMutablePointer<S>) {
    guard let bias else { return }
    for i in 0..<rows { gradient[i] += g[i] * bias[i] }
  }

  package func update(from earlier: [S], to later: [S]) throws(LinearAlgebraError) -> ModuleUpdate {
    let (weight, change) = (Matrix<Double>(frozenWeight), zip(later, earlier).map { Double($0) - Double($1) })
    let laterNorm = try scaled(weight, by: S.doubles(later)).frobeniusNorm()
    return ModuleUpdate(content: .dense(scaled(weight, by: change), laterNorm: laterNorm), roundingNorm: 0)
  }

  private func scaled(_ weight: Matrix<Double>, by gains: [Double]) -> Matrix<Double> {
    scalesRows ? weight.scalingRows(by: gains) : weight.scalingColumns(by: gains)
  }
}

package enum TrainedIA3: TrainedMethod {
  package static let method = AdapterMethod.ia3
  package static let isRanked = false
  package static let hasDropout = false
  package static func scaling(_ options: ResolvedAdapterOptions) -> Double? { nil }

  /// The second layer of a feed-forward block, which is given what the paper's l_ff scales.
  package static let feedForwardLayers = ["down_proj"]

  /// PEFT's.
  package static func targets(ofFamily family: String) -> [String] {
    (family == "llama" ? ["k_proj", "v_proj"] : ["q_proj", "v_proj"]) + feedForwardLayers
  }

  package static let peftType = StoredIA3.type

  package static func peftMembers(of adapter: ExportedAdapter) -> PEFTMembers {
    let feedForward = adapter.modules.keys.filter { path in feedForwardLayers.contains { path.hasSuffix("." + $0) } }
    return [
      "init_ia3_weights": true, "target_modules": adapter.paths(),
      "feedforward_modules": .array(feedForward.map(JSONValue.string)),
    ]
  }

  /// Each gain moves its row or column of W₀.
  package static func startStepNorm(_ layer: PlannedLayer, _ options: ResolvedAdapterOptions) -> Double? { layer.norm }

  package static func adapting<S: TransformerScalar>(
    _ layer: LayerToAdapt<S>, options: ResolvedAdapterOptions, generator: inout SeededGenerator
  ) throws(LinearAlgebraError) -> any AdaptedWeight<S> {
    let isFeedForward = feedForwardLayers.contains { layer.path.hasSuffix("." + $0) }
    return IA3(weight: layer.weight, bias: layer.bias, scalesRows: !isFeedForward)
  }
}

// MARK: - On disk

/// IA3 (Liu et al. 2022, section 3.3) in PEFT's form: gains l on what a layer gives, W_eff = diag(l)·W₀, or on what a feed-forward
/// layer is given, W_eff = W₀·diag(l); l = 1 at the start. What l does to a bias is left out.
package enum StoredIA3: StoredMethod {
  package static let type = "IA3"
  package static let method = AdapterMethod.ia3
  package static let parts: Set = ["ia3_l"]
  package static let fields = ConfigurationFields(rank: nil, alpha: nil, start: "init_ia3_weights", hasPatterns: false)

  /// PEFT stores the gains of outputs as [rows, 1] and those of inputs as [1, columns].
  package static func module(_ found: FoundTensors) throws(UnfitModule) -> AdapterFolder.Module {
    let shape = try found.shape("ia3_l")
    guard shape.contains(1), shape.allSatisfy({ $0 > 0 }) else {
      throw UnfitModule("expected ia3_l with one row or one column, found \(shape)")
    }
    let scalesRows = shape[1] == 1
    return found.module(Self.self, rows: scalesRows ? shape[0] : nil, columns: scalesRows ? nil : shape[1])
  }

  package static func weight(
    of module: AdapterFolder.Module, at match: ModuleMatcher.Match, in folder: AdapterFolder
  ) throws(FileError) -> any StoredWeight {
    let shape = try folder.weights.entry(module.tensors["ia3_l"]!).shape
    return TrainedGains(
      values: try folder.values("ia3_l", of: module), scalesRows: shape[1] == 1, format: module.format)
  }

  package static func isUntrained(
    _ module: AdapterFolder.Module, in folder: AdapterFolder
  ) throws(FileError) -> Bool {
    try folder.values("ia3_l", of: module).allSatisfy { $0 == 1 }
  }
}

/// Trained gains on the rows or the columns of a frozen weight.
struct TrainedGains: StoredWeight {
  var values: [Double]
  var scalesRows: Bool
  var format: FloatFormat

  func change(from earlier: (any StoredWeight)?, over base: any PretrainedWeight) throws -> ModuleUpdate? {
    let before = earlier as? TrainedGains
    guard earlier == nil || before?.values.count == values.count && before?.scalesRows == scalesRows else { return nil }
    let weight = try base.matrix()
    let start = before?.values ?? Array(repeating: 1, count: values.count)
    let norm = try scaled(weight, by: values).frobeniusNorm()
    var roundings = [format.rmsRounding * norm]
    if let before { roundings.append(before.format.rmsRounding * (try scaled(weight, by: start).frobeniusNorm())) }
    return ModuleUpdate(
      content: .dense(scaled(weight, by: zip(values, start).map { $0 - $1 }), laterNorm: norm),
      roundingNorm: euclideanNorm(roundings), reach: scalesRows ? .rowScaling : .columnScaling)
  }

  /// ‖W₀‖_F, wherever the gains are: each one moves its row or column by itself.
  func stepNorm(over base: any PretrainedWeight) throws -> Double? { try base.matrix().frobeniusNorm() }

  private func scaled(_ weight: Matrix<Double>, by gains: [Double]) -> Matrix<Double> {
    scalesRows ? weight.scalingRows(by: gains) : weight.scalingColumns(by: gains)
  }
}
