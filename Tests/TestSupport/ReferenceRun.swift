import Adapters
import OrderedCollections
import RunStore
import Weights

/// A case of the references as a run folder of our own: the same adapters, another form.
package enum ReferenceRun {
  /// The adapter in a PEFT folder as training would hand it over at `step`.
  package static func snapshot(of folder: String, step: Int) throws -> AdapterSnapshot {
    let adapter = try AdapterFolder(path: folder)
    var modules: OrderedDictionary<String, [AdapterSnapshot.Tensor]> = [:]
    for module in adapter.modules {
      // In the order in which a run keeps them: lora_A, lora_B, lora_magnitude_vector, or weight alone.
      let names = module.tensors.sorted { $0.key < $1.key }
      modules[module.path] = try names.map { name, stored in
        AdapterSnapshot.Tensor(
          name: name, shape: try adapter.weights.entry(stored).shape,
          values: try adapter.weights.read(stored, as: Float.self))
      }
    }
    return AdapterSnapshot(step: step, modules: modules)
  }

  /// What a run of the case has recorded of itself.
  package static func identity(_ reference: ReferenceCase, method: String) throws -> RunIdentity {
    let configuration = try PEFTConfiguration(
      path: reference.source + "/checkpoint-5/" + PEFTConfiguration.fileName)
    return RunIdentity(
      method: method, rank: configuration.rank, alpha: configuration.alpha, scaling: configuration.scaling(of: ""),
      seed: 7, task: "arithmetic", base: reference.base,
      baseID: try BaseIdentity.sha256(of: BaseModel(path: reference.base)),
      createdBy: "spectroscope test", configuration: ["steps": 20, "learning_rate": 0.001])
  }

  /// Writes the case, which has an initial adapter, as a run folder at `path`, with a record for each of its 20 steps.
  package static func write(_ reference: ReferenceCase, method: String, to path: String) throws {
    let writer = try RunWriter(
      creating: path, identity: identity(reference, method: method),
      initial: snapshot(of: reference.initial!, step: 0), wallTime: 1_700_000_000)
    for step in 1...20 {
      try writer.append(record(step))
      guard [5, 10, 20].contains(step) else { continue }
      let checkpoint = try snapshot(of: "\(reference.source)/checkpoint-\(step)", step: step)
      try writer.write(checkpoint, wallTime: 1_700_000_000 + Double(step))
    }
  }

  /// The record of a step: some columns of the contract, one of its own, one by module; undefined every fourth step.
  package static func record(_ step: Int) -> JSONValue {
    [
      "step": .integer(step), "reward": .number(Double(step) / 20),
      "kl": step % 4 == 0 ? .null : .number(1 / Double(step)),
      "learning_rate": 0.001, "tokens_per_second": .integer(1000 + step),
      "module_step_norm": ["layers.10.q": .number(Double(step) / 3), "layers.2.q": .integer(step)],
    ]
  }
}
