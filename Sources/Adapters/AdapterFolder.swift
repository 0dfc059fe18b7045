import Foundation
import LinearAlgebra
import OrderedCollections
import Weights

/// What one checkpoint has trained, on disk: an adapter as PEFT or MLX writes it, or whole weights.
package struct AdapterFolder: Sendable {
  /// One module of the adapter, by PEFT's path without the prefix `base_model.model.`.
  package struct Module: Equatable, Sendable {
    package var path: String
    /// Whose tensors these are.
    package var stored: StoredForm
    /// The names of its tensors by the method's names for them, such as `lora_A`; `weight` is a whole weight.
    package var tensors: [String: String]
    /// Output × input. An embedding, whose output is the embedding dimension, is stored the other way round. Where the tensors do
    /// not tell, nil until the base has told.
    package var rows: Int?
    package var columns: Int?
    /// How many terms the tensors hold (AdaLoRA: triplets kept); nil where the method has no rank.
    package var rank: Int?
    /// The rank that the configuration gives the module (AdaLoRA: the one it began with), which decides the number of directions.
    package var configuredRank: Int?
    /// s of ΔW = s·B·A; nil where the method has none.
    package var scaling: Double?
    /// The coarsest format of its tensors.
    package var format: FloatFormat
    package var isEmbedding = false
    /// Set where the tensors hold a matrix for each of several experts.
    package var experts: Experts?

    /// The experts of one layer.
    package struct Experts: Equatable, Sendable {
      /// The layer's path, without PEFT's nested wrappers.
      package var layer: String
      /// The names of the parameters, one of which the tensors belong to.
      package var parameters: [String]
      package var count: Int
    }

    /// True for a whole weight.
    package var isWhole: Bool { stored.isOne(of: StoredWhole.self) }

    /// True for the factors of LoRA, with or without DoRA's magnitude, which a part of the base may have moved into.
    package var isLoRA: Bool { stored.isOne(of: StoredLoRA.self, StoredDoRA.self) }

    /// The rank to report: the configured one, but of AdaLoRA what is left of it.
    package var reportedRank: Int? { stored.isOne(of: StoredAdaLoRA.self) ? rank : configuredRank }
  }

  package let place: AdapterPlace
  package let configuration: PEFTConfiguration
  package let weights: TensorCollection
  package let modules: [Module]
  package let remarks: [AdapterRemark]
  /// Modules that were seen and cannot be analysed; they count in the coverage.
  package let skippedModules: [String]

  /// The folder.
  package var path: String { place.path }

  /// The name of the weights' file in an adapter folder.
  package static let weightsName = "adapter_model.safetensors"

  /// Reads the configuration and the names and shapes of the tensors, and of their values only what tells a rank.
  ///
  /// - Parameter place: where it is, and in which form.
  /// - Throws: `FileError` where there is no adapter, a file is broken, or the method is not analysed.
  package init(_ place: AdapterPlace) throws(FileError) {
    self.place = place
    let opened = try place.open { configuration throws(FileError) in
      try Self.checkMethod(configuration, path: place.path)
    }
    (configuration, weights) = (opened.configuration, opened.weights)
    var reading = AdapterReading(configuration: configuration, weights: weights, holdsBase: opened.holdsBase)
    reading.sortTensors()
    (modules, remarks, skippedModules) = (reading.modules, reading.remarks, reading.skippedModules)
  }

  /// The adapter in a folder of PEFT's or MLX's form, or the whole weights in it.
  package init(path: String) throws(FileError) {
    try self.init(AdapterPlace(in: path) ?? AdapterPlace(path: path, form: .peft))
  }

  private static func checkMethod(_ configuration: PEFTConfiguration, path: String) throws(FileError) {
    let file = path + "/" + PEFTConfiguration.fileName
    let analysed = "Analysed so far: \(PEFTMethods.analysed)"
    guard !StoredMethods.of(type: configuration.type).isEmpty else {
      let known = PEFTMethods.known.contains(configuration.type)
      throw FileError(
        .badContent, path: file, object: "peft_type",
        "expected a method that is analysed, found \(configuration.type), which is "
          + (known ? "known but not analysed yet" : "not known"), remedy: analysed)
    }
    if configuration.replicatesLayers {
      throw FileError(
        .badContent, path: file, object: "layer_replication",
        "expected none, found a model built from repeated layers, which is known but not analysed yet")
    }
  }
}

// MARK: - Values

extension AdapterFolder {
  /// What the tensors of a module that was matched with `match` make of its weight, in Float64.
  ///
  /// - Throws: `FileError` where a tensor is cut short or holds non-finite values.
  package func weight(of module: Module, at match: ModuleMatcher.Match) throws(FileError) -> any StoredWeight {
    try module.stored.method.weight(of: module, at: match, in: self)
  }

  /// Reads the factors of a LoRA module, in Float64.
  ///
  /// - Throws: `FileError` where a tensor is cut short or holds non-finite values.
  package func factors(of module: Module) throws(FileError) -> LoRAFactors {
    precondition(module.isLoRA, "only a LoRA module has these factors")
    return try StoredLoRA.factors(of: module, in: self)
  }

  /// Reads a whole weight, output × input, in Float64.
  package func savedWeight(of module: Module) throws(FileError) -> Matrix<Double> {
    precondition(module.isWhole, "only a saved module has a whole weight")
    return try StoredWhole.matrix(of: module, in: self)
  }

  /// True where the module's tensors are as before training, as far as they tell without the base.
  ///
  /// - Throws: `FileError` where a tensor is cut short or holds non-finite values.
  package func isUntrained(_ module: Module) throws(FileError) -> Bool {
    try module.stored.method.isUntrained(module, in: self)
  }

  /// A tensor of a module as a matrix of its own shape.
  package func matrix(_ part: String, of module: Module) throws(FileError) -> Matrix<Double> {
    let name = module.tensors[part]!
    let shape = try weights.entry(name).shape
    return Matrix(
      rows: shape.first ?? 1, columns: shape.dropFirst().reduce(1, *),
      elements: try weights.readFinite(name, as: Double.self))
  }

  /// A tensor of a module as numbers, row by row.
  package func values(_ part: String, of module: Module) throws(FileError) -> [Double] {
    try weights.readFinite(module.tensors[part]!, as: Double.self)
  }

  /// The method as far as the folder alone tells: DoRA by its magnitudes, PiSSA by its initialisation, rsLoRA by its flag.
  package var method: AdapterMethod {
    let adapted = modules.first { !$0.isWhole }
    guard let adapted else { return modules.isEmpty ? .lora : .full }
    guard adapted.isLoRA || adapted.stored.isOne(of: StoredExpertLoRA.self) else {
      return adapted.tensors["m"] == nil ? adapted.stored.method.method : .dora
    }
    if modules.contains(where: { $0.stored.isOne(of: StoredDoRA.self) }) { return .dora }
    switch configuration.initialization {
    case .pissa: return .pissa
    case .subtracted(let name) where name.hasPrefix("pissa"): return .pissa
    default: return configuration.usesRankStabilization ? .rslora : .lora
    }
  }
}

/// Which of PEFT's methods this program knows by name, and which it analyses.
package enum PEFTMethods {
  package static let analysed =
    "LoRA, rsLoRA, LoRA+, LoRA-FA, rank-1, PiSSA, MiLoRA, DoRA, AdaLoRA, MiSS, VeRA, IA3, LN tuning, LoHa, LoKr, and whole "
    + "weights"

  /// PEFT's type names (0.21.2), beside those that are analysed.
  package static let known: Set<String> = [
    "ADAMSS", "ADAPTION_PROMPT", "BEFT", "BOFT", "C3A", "CARTRIDGE", "CPT", "DEFT", "DELORA", "FOURIERFT", "FROD",
    "GLORA", "GRALORA", "HIRA", "HRA", "LILY", "MULTITASK_PROMPT_TUNING", "OFT", "OSF", "P_TUNING", "PEANUT", "POLY",
    "PREFIX_TUNING", "PROMPT_TUNING", "PSOFT", "PVERA", "RANDLORA", "ROAD", "SHADOW", "SHIRA", "SUPERTUNING",
    "TINYLORA", "TRAINABLE_TOKENS", "UNILORA", "VBLORA", "WAVEFT", "XLORA",
  ]
}
