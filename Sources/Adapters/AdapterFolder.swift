import Foundation
import LinearAlgebra
import OrderedCollections
import Weights

/// One adapter on disk: a folder with `adapter_config.json` and `adapter_model.safetensors`, as PEFT writes it.
package struct AdapterFolder: Sendable {
  /// One module of the adapter, by PEFT's path without the prefix `base_model.model.`.
  package struct Module: Equatable, Sendable {
    package enum Content: Equatable, Sendable {
      /// The names of the tensors A and B.
      case lora(a: String, b: String, isEmbedding: Bool)
      /// A whole weight that `modules_to_save` stores, by the name of its tensor.
      case saved(String, isEmbedding: Bool)
    }

    package var path: String
    package var content: Content
    /// Output × input. An embedding, whose output is the embedding dimension, is stored the other way round.
    package var rows: Int
    package var columns: Int
    /// The rank of the tensors; nil for whole weights.
    package var rank: Int?
    package var format: FloatFormat
  }

  package let path: String
  package let configuration: PEFTConfiguration
  package let weights: TensorFile
  package let modules: [Module]
  package let remarks: [AdapterRemark]
  /// Modules that were seen and cannot be analysed; they count in the coverage.
  package let skippedModules: [String]

  /// The name of the weights' file in an adapter folder.
  package static let weightsName = "adapter_model.safetensors"

  /// Reads the configuration and the names and shapes of the tensors, none of their values.
  ///
  /// - Throws: `FileError` where the folder holds no adapter, a file is broken, or the method is not analysed.
  package init(path: String) throws(FileError) {
    self.path = path
    configuration = try PEFTConfiguration(path: path + "/" + PEFTConfiguration.fileName)
    try Self.checkMethod(configuration, path: path)
    weights = try Self.openWeights(in: path)
    var reading = AdapterReading(configuration: configuration, weights: weights)
    reading.sortTensors()
    (modules, remarks, skippedModules) = (reading.modules, reading.remarks, reading.skippedModules)
  }

  private static func checkMethod(_ configuration: PEFTConfiguration, path: String) throws(FileError) {
    let file = path + "/" + PEFTConfiguration.fileName
    guard configuration.type == "LORA" else {
      let known = PEFTMethods.known.contains(configuration.type)
      throw FileError(
        .badContent, path: file, object: "peft_type",
        "expected LORA, found \(configuration.type), which is \(known ? "known but not analysed yet" : "not known")",
        remedy: "Analysed so far: \(PEFTMethods.analysed)")
    }
    if configuration.usesDoRA {
      throw FileError(
        .badContent, path: file, object: "use_dora", "expected false, found true: DoRA is known but not analysed yet",
        remedy: "Analysed so far: \(PEFTMethods.analysed)")
    }
    if configuration.replicatesLayers {
      throw FileError(
        .badContent, path: file, object: "layer_replication",
        "expected none, found a model built from repeated layers, which is known but not analysed yet")
    }
  }

  private static func openWeights(in path: String) throws(FileError) -> TensorFile {
    let file = path + "/" + weightsName
    if FileManager.default.fileExists(atPath: file) { return try TensorFile(path: file) }
    if FileManager.default.fileExists(atPath: path + "/adapter_model.bin") {
      throw FileError(
        .badContent, path: path + "/adapter_model.bin",
        "expected \(weightsName), found a torch pickle, which is not read yet",
        remedy: "Load it with PEFT and save_pretrained(safe_serialization=True)")
    }
    throw FileError(
      .badContent, path: path, "expected \(weightsName) beside \(PEFTConfiguration.fileName), found none",
      remedy: "If the checkpoint is still being written, try again when it is complete")
  }
}

// MARK: - Values

extension AdapterFolder {
  /// Reads the factors of a LoRA module, in Float64.
  ///
  /// - Throws: `FileError` where a tensor is cut short or holds non-finite values.
  package func factors(of module: Module) throws(FileError) -> LoRAFactors {
    guard case .lora(let aName, let bName, _) = module.content, let rank = module.rank else {
      preconditionFailure("only a LoRA module has factors")
    }
    let a = try weights.readFinite(aName, as: Double.self)
    let b = try weights.readFinite(bName, as: Double.self)
    return LoRAFactors(
      b: Matrix(rows: module.rows, columns: rank, elements: b),
      a: Matrix(rows: rank, columns: module.columns, elements: a), scaling: configuration.scaling(of: module.path),
      format: module.format)
  }

  /// Reads a whole weight of `modules_to_save`, output × input, in Float64.
  package func savedWeight(of module: Module) throws(FileError) -> Matrix<Double> {
    guard case .saved(let name, let isEmbedding) = module.content else {
      preconditionFailure("only a saved module has a whole weight")
    }
    let elements = try weights.readFinite(name, as: Double.self)
    guard isEmbedding else { return Matrix(rows: module.rows, columns: module.columns, elements: elements) }
    return Matrix(rows: module.columns, columns: module.rows, elements: elements).transposedCopy()
  }

  /// The method as far as the folder alone tells: PiSSA by its initialisation, rsLoRA by its flag, else LoRA.
  package var method: AdapterMethod {
    switch configuration.initialization {
    case .pissa: .pissa
    case .subtracted(let name) where name.hasPrefix("pissa"): .pissa
    default: configuration.usesRankStabilization ? .rslora : .lora
    }
  }
}

/// Which of PEFT's methods this program knows by name, and which it analyses.
package enum PEFTMethods {
  package static let analysed =
    "LoRA, rsLoRA, LoRA+, LoRA-FA, rank-1, PiSSA, MiLoRA, and whole weights of modules_to_save"

  /// PEFT's type names (0.21.2), beside LORA.
  package static let known: Set<String> = [
    "ADALORA", "ADAMSS", "ADAPTION_PROMPT", "BEFT", "BOFT", "BONE", "C3A", "CARTRIDGE", "CPT", "DEFT", "DELORA",
    "FOURIERFT", "FROD", "GLORA", "GRALORA", "HIRA", "HRA", "IA3", "LILY", "LN_TUNING", "LOHA", "LOKR", "MISS",
    "MULTITASK_PROMPT_TUNING", "OFT", "OSF", "P_TUNING", "PEANUT", "POLY", "PREFIX_TUNING", "PROMPT_TUNING", "PSOFT",
    "PVERA",
    "RANDLORA", "ROAD", "SHADOW", "SHIRA", "SUPERTUNING", "TINYLORA", "TRAINABLE_TOKENS", "UNILORA", "VBLORA", "VERA",
    "WAVEFT", "XLORA",
  ]
}
