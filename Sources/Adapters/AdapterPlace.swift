import Foundation
import OrderedCollections
import Weights

/// Where what one checkpoint has trained lies, and in which form.
package struct AdapterPlace: Equatable, Sendable {
  package enum Form: Equatable, Sendable {
    /// `adapter_config.json` and `adapter_model.safetensors` or `adapter_model.bin`.
    case peft
    /// MLX's `adapter_config.json`, and a weights' file of this name.
    case mlx(String)
    /// The weights of the model itself, in this file or by this index.
    case whole(String)
    /// verl's shards of a model with or without an adapter in it, `model_world_size_W_rank_R.pt`.
    case shards
  }

  /// The folder.
  package var path: String
  package var form: Form

  package init(path: String, form: Form) {
    self.path = path
    self.form = form
  }

  /// What lies in a folder itself, if anything: an adapter before whole weights.
  package init?(in path: String) {
    func holds(_ name: String) -> Bool { FileManager.default.fileExists(atPath: path + "/" + name) }
    self.path = path
    if holds(PEFTConfiguration.fileName) {
      form = holds(MLXFolder.weightsName) && !holds(AdapterFolder.weightsName) ? .mlx(MLXFolder.weightsName) : .peft
    } else if let name = Self.modelNames.first(where: holds) {
      form = .whole(name)
    } else if TensorCollection.hasRanks(in: path) {
      form = .shards
    } else {
      return nil
    }
  }

  /// In the order in which `transformers` looks for them.
  private static let modelNames = [
    "model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json",
  ]

  /// True for an adapter, false for what may be a model.
  var isAdapter: Bool {
    switch form {
    case .peft, .mlx: true
    case .whole, .shards: false
    }
  }

  /// The file that says how the weights are to be read, if there is one.
  package var configurationFile: String? {
    let names = [PEFTConfiguration.fileName, Self.metadataName, "../lora_adapter/" + PEFTConfiguration.fileName]
    return names.map { path + "/" + $0 }.first { FileManager.default.fileExists(atPath: $0) }
  }
}

// MARK: - Opening

extension AdapterPlace {
  /// What is in there.
  struct Opened {
    var configuration: PEFTConfiguration
    var weights: TensorCollection
    /// True where the weights of the base lie among those that were trained.
    var holdsBase = false
  }

  /// Reads the configuration and the names of the tensors.
  ///
  /// - Parameter check: what the configuration has to pass before the weights are opened.
  func open(checking check: (PEFTConfiguration) throws(FileError) -> Void) throws(FileError) -> Opened {
    let configuration: PEFTConfiguration
    switch form {
    case .peft: configuration = try PEFTConfiguration(path: path + "/" + PEFTConfiguration.fileName)
    case .mlx: configuration = try MLXFolder.configuration(path: path + "/" + PEFTConfiguration.fileName)
    case .whole: configuration = PEFTConfiguration(type: StoredWhole.type)
    case .shards: return try openShards()
    }
    try check(configuration)
    return Opened(configuration: configuration, weights: try weights())
  }

  private func weights() throws(FileError) -> TensorCollection {
    switch form {
    case .peft: try TensorCollection(path: peftWeights())
    case .mlx(let name), .whole(let name): try TensorCollection(path: path + "/" + name)
    case .shards: try TensorCollection(path: path)
    }
  }

  private func peftWeights() throws(FileError) -> String {
    let names = [AdapterFolder.weightsName, "adapter_model.bin"]
    let found = names.map { path + "/" + $0 }.first { FileManager.default.fileExists(atPath: $0) }
    guard let found else {
      throw FileError(
        .badContent, path: path, "expected \(names[0]) beside \(PEFTConfiguration.fileName), found none",
        remedy: "If the checkpoint is still being written, try again when it is complete")
    }
    return found
  }

  /// What verl writes of a LoRA beside its shards.
  private static let metadataName = "lora_train_meta.json"

  /// A state dictionary with LoRA's tensors in it is an adapter, whose rank and α are in a file beside it; else a model.
  private func openShards() throws(FileError) -> Opened {
    let weights = try weights()
    guard weights.tensors.keys.contains(where: { $0.contains(".lora_A.") }) else {
      return Opened(configuration: PEFTConfiguration(type: StoredWhole.type), weights: weights)
    }
    guard let file = configurationFile else {
      return Opened(configuration: PEFTConfiguration(type: StoredLoRA.type), weights: weights, holdsBase: true)
    }
    let isMetadata = file.hasSuffix(Self.metadataName)
    let configuration = try PEFTConfiguration(path: file, type: isMetadata ? StoredLoRA.type : nil)
    return Opened(configuration: configuration, weights: weights, holdsBase: true)
  }
}
