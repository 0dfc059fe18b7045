import Foundation
import Weights

/// Where what one checkpoint has trained lies, and in which form.
package struct AdapterPlace: Equatable, Sendable {
  package enum Form: Equatable, Sendable {
    /// `adapter_config.json` and `adapter_model.safetensors`.
    case peft
    /// MLX's `adapter_config.json`, and a weights' file of this name.
    case mlx(String)
    /// The weights of the model itself.
    case whole
    /// verl's shards of a model with its adapter, `model_world_size_W_rank_R.pt`.
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
    } else if ["model.safetensors", "model.safetensors.index.json"].contains(where: holds) {
      form = .whole
    } else {
      return nil
    }
  }

  /// The files that say how the weights are to be read, for those who keep results by the state of files.
  package var configurationFile: String? {
    let file = path + "/" + PEFTConfiguration.fileName
    return FileManager.default.fileExists(atPath: file) ? file : nil
  }

  func configuration() throws(FileError) -> PEFTConfiguration {
    switch form {
    case .peft: try PEFTConfiguration(path: path + "/" + PEFTConfiguration.fileName)
    case .mlx: try MLXFolder.configuration(path: path + "/" + PEFTConfiguration.fileName)
    case .whole, .shards: PEFTConfiguration(type: StoredWhole.type)
    }
  }

  func weights() throws(FileError) -> AdapterTensors {
    switch form {
    case .peft: try peftWeights()
    case .mlx(let name): try AdapterTensors(file: path + "/" + name)
    case .whole, .shards: try AdapterTensors(model: path)
    }
  }

  /// What the place itself gives reason to say.
  var remarks: [AdapterRemark] { [] }

  private func peftWeights() throws(FileError) -> AdapterTensors {
    let name = AdapterFolder.weightsName
    let file = path + "/" + name
    if FileManager.default.fileExists(atPath: file) { return try AdapterTensors(file: file) }
    if FileManager.default.fileExists(atPath: path + "/adapter_model.bin") {
      throw FileError(
        .badContent, path: path + "/adapter_model.bin", "expected \(name), found a torch pickle, which is not read yet",
        remedy: "Load it with PEFT and save_pretrained(safe_serialization=True)")
    }
    throw FileError(
      .badContent, path: path, "expected \(name) beside \(PEFTConfiguration.fileName), found none",
      remedy: "If the checkpoint is still being written, try again when it is complete")
  }
}
