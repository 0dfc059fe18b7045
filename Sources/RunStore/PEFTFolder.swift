import Adapters
import Foundation
import OrderedCollections
import Weights

/// A checkpoint of a run in the form of Hugging Face PEFT: `adapter_config.json` and `adapter_model.safetensors`.
///
/// Factors are a LoRA's; the whole weights of full fine-tuning are those of `modules_to_save`.
package enum PEFTFolder {
  /// The methods that have this form.
  package static let methods: [AdapterMethod] = [
    .lora, .rslora, .loraPlus, .loraFA, .rank1, .pissa, .milora, .dora, .full,
  ]

  /// The method of that name, if it has this form.
  package static func method(named name: String) -> AdapterMethod? { methods.first { $0.rawValue == name } }

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
    try PendingFile.write(json(of: snapshot, identity).text(pretty: true) + "\n", to: configuration)
    var writer = SafetensorsWriter()
    for (module, tensors) in snapshot.modules {
      for tensor in tensors {
        writer.add(name(of: tensor, in: module), shape: tensor.shape, tensor.values, as: .float32)
      }
    }
    try writer.write(to: weights)
    if let modificationTime { [configuration, weights].forEach { setModificationTime(of: $0, to: modificationTime) } }
  }

  /// PEFT puts its wrapper's prefix before the base model's own path, and `.weight` behind what is a layer.
  private static func name(of tensor: AdapterSnapshot.Tensor, in module: String) -> String {
    prefix + module + "." + tensor.name + (["lora_A", "lora_B"].contains(tensor.name) ? ".weight" : "")
  }

  static let prefix = "base_model.model."

  private static func json(of snapshot: AdapterSnapshot, _ identity: RunIdentity) -> JSONValue {
    let modules = snapshot.modules
    let whole = modules.filter { $0.value.contains { $0.name == "weight" } }.keys.map(JSONValue.string)
    let factored = modules.filter { $0.value.contains { $0.name != "weight" } }.keys.map(JSONValue.string)
    let (rank, alpha) = scaling(of: snapshot, identity)
    return [
      "peft_type": "LORA", "task_type": "CAUSAL_LM", "base_model_name_or_path": .string(identity.base), "bias": "none",
      "r": .integer(rank), "lora_alpha": .number(alpha), "lora_dropout": 0,
      "use_rslora": .bool(identity.method == AdapterMethod.rslora.rawValue),
      "use_dora": .bool(identity.method == AdapterMethod.dora.rawValue), "init_lora_weights": initialization(identity),
      "target_modules": .array(factored), "modules_to_save": whole.isEmpty ? .null : .array(whole),
    ]
  }

  /// PiSSA by an exact decomposition can be found again from the base; by a randomised one it cannot, and its name must say so.
  private static func initialization(_ identity: RunIdentity) -> JSONValue {
    guard identity.method == AdapterMethod.pissa.rawValue else { return true }
    return identity.configuration["pissa_iterations"]?.int.map { .string("pissa_niter_\($0)") } ?? "pissa"
  }

  /// The rank and the α that give PEFT the run's scaling. α is the run's own where its scaling follows from it by PEFT's rule.
  private static func scaling(of snapshot: AdapterSnapshot, _ identity: RunIdentity) -> (rank: Int, alpha: Double) {
    let factors = snapshot.modules.values.joined().first { $0.name == "lora_A" }
    let rank = max(1, identity.rank ?? factors?.shape.first ?? 1)
    let divisor = identity.method == AdapterMethod.rslora.rawValue ? Double(rank).squareRoot() : Double(rank)
    let alpha = identity.alpha ?? Double(rank)
    guard let scaling = identity.scaling, scaling != alpha / divisor else { return (rank, alpha) }
    return (rank, scaling * divisor)
  }

  private static func setModificationTime(of path: String, to time: Int) {
    let (seconds, nanoseconds) = time.quotientAndRemainder(dividingBy: 1_000_000_000)
    let value = timespec(tv_sec: seconds, tv_nsec: nanoseconds)
    utimensat(AT_FDCWD, path, [value, value], 0)
  }
}
