import LinearAlgebra
import OrderedCollections
import Weights

/// A weight that is trained itself, from a copy of the base's.
package struct FullFineTuning<S: TransformerScalar>: AdaptedWeight {
  let weight: Matrix<S>
  package let tensors: [AdapterTensor]

  /// - Parameter tensor: what the weight is called; `weight` in its own shape where nil.
  package init(weight: Matrix<S>, tensor: AdapterTensor? = nil) {
    self.weight = weight
    tensors = [tensor ?? AdapterTensor("weight", [weight.rows, weight.columns])]
  }

  package var rows: Int { weight.rows }
  package var columns: Int { weight.columns }
  package var frozenWeight: Matrix<S> { weight }
  package var start: [S] { weight.elements }
  package var factorSpan: FactorSpan? { nil }

  package func effectiveWeight(_ parameters: UnsafePointer<S>, into weight: UnsafeMutablePointer<S>) {
    weight.update(from: parameters, count: rows * columns)
  }

  package func pullBack(
    _ g: UnsafePointer<S>, _ parameters: UnsafePointer<S>, into gradient: UnsafeMutablePointer<S>
  ) {
    S.kernels.accumulate(g, rows * columns, gradient)
  }

  package func update(from earlier: [S], to later: [S]) throws(LinearAlgebraError) -> ModuleUpdate {
    let (before, now) = (matrix(earlier), matrix(later))
    let roundings = try [before, now].map { matrix throws(LinearAlgebraError) in
      try FloatFormat.float32.rmsRounding * matrix.frobeniusNorm()
    }
    return try .whole(from: before, to: now, roundings: roundings)
  }

  private func matrix(_ parameters: [S]) -> Matrix<Double> {
    Matrix(Matrix<S>(rows: rows, columns: columns, elements: parameters))
  }
}

/// Full fine-tuning of linear layers. Embeddings, norms and biases stay as they are.
package enum TrainedWhole: TrainedMethod {
  package static let method = AdapterMethod.full
  package static let isRanked = false
  package static let hasDropout = false
  package static func scaling(_ options: ResolvedAdapterOptions) -> Double? { nil }

  /// PEFT refuses an adapter that adapts nothing, unless its targets are the name that stands for none.
  package static func peftMembers(of adapter: ExportedAdapter) -> PEFTMembers {
    let members: PEFTMembers = [
      "target_modules": "dummy-target-modules", "modules_to_save": adapter.paths(with: "weight"),
    ]
    return loraMembers(of: adapter).merging(members) { $1 }
  }

  /// Every entry of the weight moves with itself.
  package static func startStepNorm(_ layer: PlannedLayer, _ options: ResolvedAdapterOptions) -> Double? {
    StepLaw.entries(rows: layer.rows, columns: layer.columns)
  }

  package static func adapting<S: TransformerScalar>(
    _ layer: LayerToAdapt<S>, options: ResolvedAdapterOptions, generator: inout SeededGenerator
  ) throws(LinearAlgebraError) -> any AdaptedWeight<S> { FullFineTuning(weight: layer.weight) }
}

// MARK: - As a state of training

/// A whole weight as training left it.
package struct WholeWeight: StoredWeight {
  package var matrix: Matrix<Double>
  package var format: FloatFormat

  package init(matrix: Matrix<Double>, format: FloatFormat) {
    self.matrix = matrix
    self.format = format
  }

  package func change(
    from earlier: (any StoredWeight)?, over base: any PretrainedWeight
  ) throws -> ModuleUpdate? {
    let rounding = try format.rmsRounding * matrix.frobeniusNorm()
    guard let earlier else { return try .whole(from: base.matrix(), to: matrix, roundings: [rounding]) }
    guard let earlier = earlier as? WholeWeight else { return nil }
    let before = try earlier.format.rmsRounding * earlier.matrix.frobeniusNorm()
    return try .whole(from: earlier.matrix, to: matrix, roundings: [rounding, before])
  }

  /// √(m·n), whatever the weight is.
  package func stepNorm(over base: any PretrainedWeight) throws -> Double? {
    StepLaw.entries(rows: matrix.rows, columns: matrix.columns)
  }
}

// MARK: - On disk

/// Whole weights: those of `modules_to_save` beside an adapter, or all of a model's after full fine-tuning.
package enum StoredWhole: StoredMethod {
  /// No `peft_type`: those are upper case.
  package static let type = "whole weights"
  package static let method = AdapterMethod.full
  package static let parts: Set<String> = []
  package static let fields = ConfigurationFields(rank: nil, alpha: nil, start: nil, hasPatterns: false)

  package static func module(_ found: FoundTensors) throws(UnfitModule) -> AdapterFolder.Module {
    throw UnfitModule("expected a whole weight, found parts of one")
  }

  /// The module whose weight a tensor is; nil for one that is no matrix of numbers.
  static func module(_ path: String, tensor: String, _ entry: CollectedTensor) -> AdapterFolder.Module? {
    guard entry.shape.count == 2, entry.shape.allSatisfy({ $0 > 0 }), let format = entry.elementType.format else {
      return nil
    }
    let isEmbedding = AdapterFolder.isEmbedding(named: String(path.split(separator: ".").last ?? ""))
    return AdapterFolder.Module(
      path: path, stored: StoredForm(Self.self), tensors: ["weight": tensor], rows: entry.shape[isEmbedding ? 1 : 0],
      columns: entry.shape[isEmbedding ? 0 : 1], format: format, isEmbedding: isEmbedding)
  }

  package static func weight(
    of module: AdapterFolder.Module, at match: ModuleMatcher.Match, in folder: AdapterFolder
  ) throws(FileError) -> any StoredWeight {
    let stored = try matrix(of: module, in: folder)
    // A model stores its layers as its base does: where that is input × output (Conv1D), so is this.
    let isTransposed = match.isTransposed && !module.isEmbedding
    return WholeWeight(matrix: isTransposed ? stored.transposedCopy() : stored, format: module.format)
  }

  /// The weight, output × input.
  static func matrix(of module: AdapterFolder.Module, in folder: AdapterFolder) throws(FileError) -> Matrix<Double> {
    let stored = try folder.matrix("weight", of: module)
    return module.isEmbedding ? stored.transposedCopy() : stored
  }

  package static func isUntrained(
    _ module: AdapterFolder.Module, in folder: AdapterFolder
  ) throws(FileError) -> Bool { false }
}

extension AdapterFolder {
  /// True for names that model families give their embeddings. A whole weight does not say what layer it belongs to.
  package static func isEmbedding(named name: String) -> Bool { embeddingNames.contains(name) }

  private static let embeddingNames: Set<String> = [
    "embed_tokens", "embed_positions", "embed_in", "wte", "wpe", "tok_embeddings", "word_embeddings",
    "position_embeddings", "token_type_embeddings", "shared",
  ]
}
