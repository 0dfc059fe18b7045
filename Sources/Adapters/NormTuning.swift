import LinearAlgebra
import OrderedCollections
import Weights

/// LN tuning (Zhao et al. 2023) as PEFT computes it: the gains of norms are trained, from a copy of the base's.
package enum TrainedNorms: TrainedMethod {
  package static let method = AdapterMethod.lnTuning
  package static let isRanked = false
  package static let hasDropout = false
  package static let layers = AdaptedLayers.norms
  package static func scaling(_ options: ResolvedAdapterOptions) -> Double? { nil }

  /// PEFT's.
  package static func targets(ofFamily family: String) -> [String] {
    family == "llama" ? ["input_layernorm", "post_attention_layernorm", "norm"] : ["post_attention_layernorm"]
  }

  package static let peftType = StoredNorm.type
  package static let layerTensors: Set = ["ln_tuning_layers"]

  package static func peftMembers(of adapter: ExportedAdapter) -> PEFTMembers {
    ["target_modules": adapter.paths()]
  }

  /// Each gain moves its column of the weights behind the norm.
  package static func startStepNorm(_ layer: PlannedLayer, _ options: ResolvedAdapterOptions) -> Double? {
    layer.normWithoutGains
  }

  package static func adapting<S: TransformerScalar>(
    _ layer: LayerToAdapt<S>, options: ResolvedAdapterOptions, generator: inout SeededGenerator
  ) throws(LinearAlgebraError) -> any AdaptedWeight<S> {
    FullFineTuning(weight: layer.weight, tensor: AdapterTensor("ln_tuning_layers", [layer.weight.columns]))
  }
}

// MARK: - On disk

/// LN tuning (Zhao et al. 2023) in PEFT's form: a trained copy γ of a norm's gains, `ln_tuning_layers.weight`.
///
/// A norm has no spectrum of its own. What changes is W·diag(offset + γ) of every layer W behind it: ΔW = W·diag(γ − γ₀), against
/// W₀ = W·diag(offset + γ₀), one row for each such layer. What a trained bias does is left out.
package enum StoredNorm: StoredMethod {
  package static let type = "LN_TUNING"
  package static let method = AdapterMethod.lnTuning
  package static let parts: Set = ["ln_tuning_layers"]
  package static let fields = ConfigurationFields(rank: nil, alpha: nil, start: nil, hasPatterns: false)

  package static func module(_ found: FoundTensors) throws(UnfitModule) -> AdapterFolder.Module {
    let shape = try found.shape("ln_tuning_layers", axes: 1)
    return found.module(Self.self, rows: nil, columns: shape[0])
  }

  package static func matches(
    of module: AdapterFolder.Module, isFanInFanOut: Bool, in matcher: ModuleMatcher
  ) throws(ModuleMatcher.Mismatch) -> [ModuleMatcher.Match] {
    try matcher.consumers(ofNorm: module.path, size: module.columns!)
  }

  package static func weight(
    of module: AdapterFolder.Module, at match: ModuleMatcher.Match, in folder: AdapterFolder
  ) throws(FileError) -> any StoredWeight {
    TrainedNorm(gains: try folder.values("ln_tuning_layers", of: module), format: module.format)
  }

  package static func isUntrained(
    _ module: AdapterFolder.Module, in folder: AdapterFolder
  ) throws(FileError) -> Bool { false }
}

/// The trained gains of a norm in front of a weight.
struct TrainedNorm: StoredWeight {
  /// γ, without the offset.
  var gains: [Double]
  var format: FloatFormat

  func change(from earlier: (any StoredWeight)?, over base: any PretrainedWeight) throws -> ModuleUpdate? {
    guard earlier == nil || earlier is TrainedNorm else { return nil }
    let (weight, baseGains, offset) = try base.weightBehindNorm()
    let before = earlier as? TrainedNorm
    let start = before?.gains ?? baseGains
    guard start.count == gains.count else { return nil }
    var roundings = [try roundingNorm(over: weight)]
    if let before { roundings.append(try before.roundingNorm(over: weight)) }
    let norm = try weight.scalingColumns(by: gains.map { offset + $0 }).frobeniusNorm()
    return ModuleUpdate(
      content: .dense(weight.scalingColumns(by: zip(gains, start).map { $0 - $1 }), laterNorm: norm),
      roundingNorm: euclideanNorm(roundings), reach: .columnScaling)
  }

  /// ‖W‖_F of the weight without the norm's gains, wherever these are: each one moves its column by itself.
  func stepNorm(over base: any PretrainedWeight) throws -> Double? {
    try base.weightBehindNorm().weight.frobeniusNorm()
  }

  /// The rms norm of what rounding γ as it is stored does to W·diag(offset + γ).
  private func roundingNorm(over weight: Matrix<Double>) throws(LinearAlgebraError) -> Double {
    format.rmsRounding * (try weight.scalingColumns(by: gains).frobeniusNorm())
  }
}
