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
    try write(snapshot, members: members(of: snapshot, identity), of: identity, to: folder)
    for name in [PEFTConfiguration.fileName, AdapterFolder.weightsName] {
      if let modificationTime { setModificationTime(of: folder + "/" + name, to: modificationTime) }
    }
  }

  /// Makes the folder and writes both files, with these members of `adapter_config.json`; throws as above.
  static func write(
    _ snapshot: AdapterSnapshot, members: PEFTMembers, of identity: RunIdentity, to folder: String
  ) throws(FileError) {
    do {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    } catch {
      throw FileError(.cannotCreate, path: folder, "the folder cannot be created", remedy: "Check the free space")
    }
    let text = JSONValue.object(members).text(pretty: true) + "\n"
    try PendingFile.write(text, to: folder + "/" + PEFTConfiguration.fileName)
    let method = form(of: identity)
    let formats = identity.configuration[formatsMember]
    var writer = SafetensorsWriter()
    for (module, tensors) in snapshot.modules {
      for tensor in tensors {
        let name = name(of: tensor, in: module, method)
        let format = (formats?.string ?? formats?[name]?.string).flatMap(FloatFormat.init(rawValue:))
        writer.add(name, shape: tensor.shape, tensor.values, as: format ?? .float32)
      }
    }
    try writer.write(to: folder + "/" + AdapterFolder.weightsName)
  }

  private static func form(of identity: RunIdentity) -> any TrainedMethod.Type {
    guard let method = method(named: identity.method) else { preconditionFailure("no form of \(identity.method)") }
    return method
  }

  /// The member of a run's configuration that holds the `adapter_config.json` it was made from, where PEFT trained it.
  static let configurationMember = "adapter_config"
  /// The member that says as what numbers PEFT stored its tensors: one word for all of them, or an object of those that are not F32.
  static let formatsMember = "adapter_dtype"

  /// PEFT puts its wrapper's prefix before the base model's own path, and `.weight` behind what is a layer.
  private static func name(
    of tensor: AdapterSnapshot.Tensor, in module: String, _ method: any TrainedMethod.Type
  ) -> String {
    if module == AdapterSnapshot.sharedModule { return module + "." + tensor.name }
    return prefix + module + "." + tensor.name + (method.layerTensors.contains(tensor.name) ? ".weight" : "")
  }

  static let prefix = "base_model.model."

  /// The members of `adapter_config.json`: those that PEFT wrote, or what the run's identity comes to.
  static func members(of snapshot: AdapterSnapshot, _ identity: RunIdentity) -> PEFTMembers {
    let method = form(of: identity)
    if let written = identity.configuration[configurationMember]?.object {
      return written.merging(["base_model_name_or_path": .string(identity.base)]) { $1 }
    }
    var modules = snapshot.modules
    modules[AdapterSnapshot.sharedModule] = nil
    let adapter = ExportedAdapter(
      modules: modules, rank: identity.rank, alpha: identity.alpha, scaling: identity.scaling,
      configuration: identity.configuration)
    let common: PEFTMembers = [
      "peft_type": .string(method.peftType), "task_type": "CAUSAL_LM",
      "base_model_name_or_path": .string(identity.base),
    ]
    return common.merging(method.peftMembers(of: adapter)) { $1 }
  }

  private static func setModificationTime(of path: String, to time: Int) {
    let (seconds, nanoseconds) = time.quotientAndRemainder(dividingBy: 1_000_000_000)
    let value = timespec(tv_sec: seconds, tv_nsec: nanoseconds)
    utimensat(AT_FDCWD, path, [value, value], 0)
  }
}
