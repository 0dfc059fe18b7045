import Adapters
import OrderedCollections
import Weights

extension PEFTFolder {
  /// The tensors of an adapter in PEFT's form under the names that a run keeps them by, so that `write` gives the same file again.
  ///
  /// - Throws: `FileError.badContent` for names that are not PEFT's, and for numbers that Float32 does not hold.
  package static func snapshot(of adapter: AdapterFolder, step: Int) throws(FileError) -> AdapterSnapshot {
    guard let method = method(named: adapter.method.rawValue), adapter.place.form == .peft else {
      throw FileError(
        .badContent, path: adapter.path,
        "expected an adapter of PEFT's of a method that runs have, found \(adapter.method.rawValue) in another form",
        remedy: "Runs have: \(AdapterMethod.trainable.map(\.rawValue).joined(separator: ", "))")
    }
    var snapshot = AdapterSnapshot(step: step, modules: [:])
    for (name, entry) in adapter.weights.tensors {
      let (module, tensor) = try place(of: name, in: adapter, method)
      guard let format = entry.elementType.format, format != .float64 else {
        throw error(adapter, name, "expected F32, F16 or BF16, which a run can hold, found \(entry.elementType)")
      }
      let values = try adapter.weights.read(name, as: Float.self)
      snapshot.modules[module, default: []].append(.init(name: tensor, shape: entry.shape, values: values))
    }
    return snapshot
  }

  /// As what numbers the tensors of an adapter are stored, as `formatsMember` has it.
  static func formats(of adapter: AdapterFolder) -> JSONValue {
    let words = adapter.weights.tensors.mapValues { $0.elementType.rawValue }
    if let first = words.values.first, words.values.allSatisfy({ $0 == first }) { return .string(first) }
    return .object(words.filter { $1 != FloatFormat.float32.rawValue }.mapValues(JSONValue.string))
  }

  /// The module and the name in it that a tensor has in a run.
  private static func place(
    of name: String, in adapter: AdapterFolder, _ method: any TrainedMethod.Type
  ) throws(FileError) -> (module: String, tensor: String) {
    let shared = AdapterSnapshot.sharedModule + "."
    guard name.hasPrefix(prefix) || name.hasPrefix(shared) else {
      throw error(adapter, name, "expected a name that begins with \(prefix), found another")
    }
    let isShared = !name.hasPrefix(prefix)
    var parts = name.dropFirst(isShared ? 0 : prefix.count).split(separator: ".", omittingEmptySubsequences: false)
      .map(String.init)
    if parts.last == "weight", let layer = parts.dropLast().last, method.layerTensors.contains(layer) {
      parts.removeLast()
    }
    let tensor = parts.removeLast()
    guard !tensor.isEmpty, !parts.isEmpty, !parts[0].isEmpty, !name.contains("/") else {
      throw error(adapter, name, "expected the name of a module and of a tensor in it, found another")
    }
    return (parts.joined(separator: "."), tensor)
  }

  private static func error(_ adapter: AdapterFolder, _ name: String, _ problem: String) -> FileError {
    FileError(
      .badContent, path: adapter.weights.path, object: "tensor " + FileError.quoted(name), problem,
      remedy: "Save the adapter with PEFT's save_pretrained")
  }
}
