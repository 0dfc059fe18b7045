import LinearAlgebra

/// How a method adapts the layers of a model, and how PEFT stores that: what training and conversion ask of it.
///
/// A method is one conforming type, in its own file together with its effective weight and its form on disk, and one line of
/// `AdapterMethod.registry`.
package protocol TrainedMethod: Sendable {
  static var method: AdapterMethod { get }

  /// r where nothing else is said.
  static var defaultRank: Int { get }
  /// r where the method has no choice.
  static var fixedRank: Int? { get }
  /// α where nothing else is said.
  static var defaultAlpha: Double { get }
  /// False for methods without r and α.
  static var isRanked: Bool { get }
  /// True where modules may have ranks and α of their own.
  static var hasPatterns: Bool { get }
  /// The rank of the tensors at the start.
  static func startRank(_ options: ResolvedAdapterOptions) -> Int
  /// The largest rank that a weight of that size allows; nil where any will do.
  static func largestRank(rows: Int, columns: Int) -> Int?
  /// s of ΔW = s·B·A; nil where there is none.
  static func scaling(_ options: ResolvedAdapterOptions) -> Double?

  /// What is adapted.
  static var layers: AdaptedLayers { get }
  /// The ends of the names of the layers that are adapted where nothing else is said, for a `model_type`.
  static func targets(ofFamily family: String) -> [String]
  /// True where the method's input can be dropped out.
  static var hasDropout: Bool { get }

  /// How AdamW is to be understood.
  static var optimizer: OptimizerConvention { get }
  /// True where the optimiser is given another gradient than the loss's.
  static var preconditions: Bool { get }
  /// How ranks are allocated while training goes on; nil where they stay.
  static func allocation(_ options: ResolvedAdapterOptions) -> AdaLoRAOptions?

  /// Frozen tensors that all modules share, for layers of at most so many rows and columns.
  static func shared<S: TransformerScalar>(
    rows: Int, columns: Int, options: ResolvedAdapterOptions, generator: inout SeededGenerator
  ) -> [SharedTensor<S>]

  /// This method over one layer, at its start.
  ///
  /// - Parameter generator: source of the random start; each method takes from it what it needs.
  /// - Throws: `LinearAlgebraError` where a start needs a decomposition that fails.
  static func adapting<S: TransformerScalar>(
    _ layer: LayerToAdapt<S>, options: ResolvedAdapterOptions, generator: inout SeededGenerator
  ) throws(LinearAlgebraError) -> any AdaptedWeight<S>

  /// ‖J‖_F of `StepLaw` that is to be expected of a layer at the start; nil where the method has no such law.
  static func startStepNorm(_ layer: PlannedLayer, _ options: ResolvedAdapterOptions) -> Double?
  /// Why there is none; nil where there is one.
  static var reasonWithoutStepLaw: String? { get }
  /// True where that depends on the singular values of the layer's weight.
  static var startsInSingularValues: Bool { get }

  /// PEFT's `peft_type`.
  static var peftType: String { get }
  /// Those of its tensors that are layers of their own in PEFT, so that `.weight` stands behind their names.
  static var layerTensors: Set<String> { get }
  /// The members of `adapter_config.json` that are the method's own.
  static func peftMembers(of adapter: ExportedAdapter) -> PEFTMembers
}

/// The kinds of layers that methods adapt.
package enum AdaptedLayers: Sendable {
  case linear, norms
}

/// How a method's own optimiser differs from PyTorch's AdamW.
package enum OptimizerConvention: Sendable {
  /// p ← (1 − lr·λ)·p − lr·m̂/(√v̂ + ε), ε = 1e-8.
  case pyTorch
  /// As transformers once had it: ε = 1e-6 is not divided by the bias correction of √v, and decay comes last.
  case transformers
}

/// A layer of the base, as an adapter sees it.
package struct LayerToAdapt<S: TransformerScalar>: Sendable {
  /// The dotted path of the module.
  package var path: String
  /// Output × input; of a norm, 1 × its gains.
  package var weight: Matrix<S>
  /// One number an output, where there is a bias.
  package var bias: [S]?
  /// The tensors that the method shares between modules.
  package var shared: [SharedTensor<S>]

  package init(path: String, weight: Matrix<S>, bias: [S]? = nil, shared: [SharedTensor<S>] = []) {
    self.path = path
    self.weight = weight
    self.bias = bias
    self.shared = shared
  }
}

/// A frozen tensor that all modules share.
package struct SharedTensor<S: TransformerScalar>: Sendable {
  /// PEFT's, such as `vera_A`.
  package var name: String
  package var matrix: Matrix<S>

  package init(name: String, matrix: Matrix<S>) {
    self.name = name
    self.matrix = matrix
  }
}

extension TrainedMethod {
  package static var defaultRank: Int { 4 }
  package static var fixedRank: Int? { nil }
  package static var defaultAlpha: Double { 8 }
  package static var isRanked: Bool { true }
  /// PEFT has patterns for the types of LoRA alone.
  package static var hasPatterns: Bool { peftType == "LORA" && isRanked && fixedRank == nil }
  package static func startRank(_ options: ResolvedAdapterOptions) -> Int { options.rank }
  package static func largestRank(rows: Int, columns: Int) -> Int? { isRanked ? min(rows, columns) : nil }
  package static func scaling(_ options: ResolvedAdapterOptions) -> Double? { options.ratio }
  /// That of LoRA's start, with the method's own scaling.
  package static func startStepNorm(_ layer: PlannedLayer, _ options: ResolvedAdapterOptions) -> Double? {
    scaling(options).map { StepLaw.loraStart(rows: layer.rows, rank: options.rank, scaling: $0) }
  }
  package static var reasonWithoutStepLaw: String? { nil }
  package static var startsInSingularValues: Bool { false }
  package static var layers: AdaptedLayers { .linear }
  package static func targets(ofFamily family: String) -> [String] { AdapterMethod.linearLayers }
  package static var hasDropout: Bool { true }
  package static var optimizer: OptimizerConvention { .pyTorch }
  package static var preconditions: Bool { false }
  package static func allocation(_ options: ResolvedAdapterOptions) -> AdaLoRAOptions? { nil }
  package static func shared<S: TransformerScalar>(
    rows: Int, columns: Int, options: ResolvedAdapterOptions, generator: inout SeededGenerator
  ) -> [SharedTensor<S>] { [] }
}
