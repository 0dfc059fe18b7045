import Adapters
import OrderedCollections
import RunStore
import Weights

/// A run of two modules, one of which has a name that sorts by number.
enum SampleRun {
  static let modules = ["layers.2.q_proj", "layers.10.größe"]

  static let identity = RunIdentity(
    method: "lora", rank: 2, alpha: 4, scaling: 2, seed: 42, task: "arithmetic", base: "bases/größe",
    baseID: String(repeating: "ab", count: 32), createdBy: "spectroscope 0.0",
    configuration: ["method": "lora", "learning_rate": 0.001, "note": "größe \"x\"", "targets": ["q_proj", "größe"]])

  /// Values that differ in every place: a third, negative, subnormal and large ones among them.
  static func snapshot(_ step: Int) -> AdapterSnapshot {
    var modules: OrderedDictionary<String, [AdapterSnapshot.Tensor]> = [:]
    for (index, module) in Self.modules.enumerated() {
      func values(_ count: Int, _ seed: Int) -> [Float] {
        (0..<count).map { Float(($0 + 1) * (seed + 2) * (step + 1)) / (index == 0 ? 3 : -7) }
      }
      var a = values(6, index)
      a[1] = .leastNonzeroMagnitude
      a[2] = -0.0
      modules[module] = [
        .init(name: "lora_A", shape: [2, 3], values: a), .init(name: "lora_B", shape: [4, 2], values: values(8, 5)),
      ]
    }
    return AdapterSnapshot(step: step, modules: modules)
  }

  static func record(_ step: Int) -> JSONValue {
    [
      "step": .integer(step), "reward": .number(Double(step) / 7), "kl": step == 1 ? .null : 0.25,
      "clip_ratio/region_mean": 0.5, "module_norm": ["layers.10.größe": .integer(step), "layers.2.q_proj": 0.125],
    ]
  }

  /// Writes steps 0, 5 and 10 with a record for each step up to 10.
  @discardableResult
  static func write(to path: String, wallTime: Double? = nil) throws(FileError) -> RunWriter {
    let writer = try RunWriter(creating: path, identity: identity, initial: snapshot(0), wallTime: wallTime)
    for step in 1...10 {
      try writer.append(record(step))
      if step.isMultiple(of: 5) { try writer.write(snapshot(step), wallTime: wallTime) }
    }
    return writer
  }
}
