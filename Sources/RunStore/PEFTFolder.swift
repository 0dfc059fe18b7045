import Adapters
import Foundation
import OrderedCollections
import Weights

/// A checkpoint of a run in the form of Hugging Face PEFT: `adapter_config.json` and `adapter_model.safetensors`.
///
/// Factors are a LoRA's; the whole weights of full fine-tuning are those of `modules_to_save`.
package enum PEFTFolder {
  /// The method of that name, if it has this form.
  package static func method(named name: String) -> (any TrainedMethod.Type)? {
    AdapterMethod(rawValue: name)?.trained
  }

  /// Makes the folder and writes both files.
  ///
  /// - Parameter identity: of the run, whose method has this form.
  /// - Parameter modificationTime: in nanoseconds since 1970; what the files get, so that who keeps results by a file's time knows
  ///   them for the same when they are written again.
  /// - Throws: `.cannotCreate` or `.cannotWrite`.
  package static func write(
    _ snapshot: AdapterSnapshot, of identity: RunIdentity, to folder: String, modificationTime: Int? = nil
  ) throws(FileError) {
    do {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    } catch {
      throw FileError(.cannotCreate, path: folder, "the folder cannot be created", remedy: "Check the free space")
    }
    let configuration = folder + "/" + PEFTConfiguration.fileName
    let weights = folder + "/" + AdapterFolder.weightsName
    guard let method = method(named: identity.method) else { preconditionFailure("no form of \(identity.method)") }
    try PendingFile.write(json(of: snapshot, identity, method).text(pretty: true) + "\n", to: configuration)
    var writer = SafetensorsWriter()
    for (module, tensors) in snapshot.modules {
      for tensor in tensors {
        writer.add(name(of: tensor, in: module, method), shape: tensor.shape, tensor.values, as: .float32)
      }
    }
    try writer.write(to: weights)
    if let modificationTime { [configuration, weights].forEach { setModificationTime(of: $0, to: modificationTime) } }
  }

  /// PEFT puts its wrapper's prefix before the base model's own path, and `.weight` behind what is a layer.
  private static func name(
    of tensor: AdapterSnapshot.Tensor, in module: String, _ method: any TrainedMethod.Type
  ) -> String {
    if module == AdapterSnapshot.sharedModule { return module + "." + tensor.name }
    return prefix + module + "." + tensor.name + (method.layerTensors.contains(tensor.name) ? ".weight" : "")
  }

  static let prefix = "base_model.model."

  private static func json(
    of snapshot: AdapterSnapshot, _ identity: RunIdentity, _ method: any TrainedMethod.Type
  ) -> JSONValue {
    var modules = snapshot.modules
    modules[AdapterSnapshot.sharedModule] = nil
    let adapter = ExportedAdapter(
      modules: modules, rank: identity.rank, alpha: identity.alpha, scaling: identity.scaling,
      configuration: identity.configuration)
    let common: PEFTMembers = [
      "peft_type": .string(method.peftType), "task_type": "CAUSAL_LM",
      "base_model_name_or_path": .string(identity.base), "bias": "none",
    ]
    return .object(common.merging(method.peftMembers(of: adapter)) { $1 })
  }

  private static func setModificationTime(of path: String, to time: Int) {
    let (seconds, nanoseconds) = time.quotientAndRemainder(dividingBy: 1_000_000_000)
    let value = timespec(tv_sec: seconds, tv_nsec: nanoseconds)
    utimensat(AT_FDCWD, path, [value, value], 0)
  }
}
