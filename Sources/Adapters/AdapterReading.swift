import OrderedCollections
import Weights

/// Sorts the tensors of an adapter into modules, and says what does not fit.
struct AdapterReading {
  let configuration: PEFTConfiguration
  let weights: TensorCollection
  var modules: [AdapterFolder.Module] = []
  var remarks: [AdapterRemark] = []
  var skippedModules: [String] = []
  private let methods: [any StoredMethod.Type]
  private let parts: Set<String>
  /// True where the weights of the base lie among those that were trained.
  private let holdsBase: Bool
  /// Modules with a trained bias that is left out, by the part that it belongs to.
  private var biases: OrderedDictionary<String, [String]> = [:]
  /// Tensors with the names of another method.
  private var foreign: [String] = []
  /// Whole tensors without a spectrum, with their shapes.
  private var shapeless: [(name: String, shape: [Int])] = []

  init(configuration: PEFTConfiguration, weights: TensorCollection, holdsBase: Bool = false) {
    self.holdsBase = holdsBase
    self.configuration = configuration
    self.weights = weights
    methods = StoredMethods.of(type: configuration.type)
    parts = methods.reduce(into: []) { $0.formUnion($1.parts) }
  }

  mutating func sortTensors() {
    var found: OrderedDictionary<String, [String: String]> = [:]
    var whole: [(path: String, tensor: String)] = []
    for name in weights.tensors.keys {
      let bare = Self.withoutPrefix(name)
      guard let known = part(of: bare) else {
        if !holdsBase || name.contains(".modules_to_save.") { whole.append((bare, name)) }
        continue
      }
      if known.isBias {
        biases[known.part, default: []].append(known.path)
      } else if found[known.path]?[known.part] != nil {
        remarks.append(
          AdapterRemark(.notAnalysed, module: known.path, "the tensor \(name) stands twice and is left out"))
      } else {
        found[known.path, default: [:]][known.part] = name
      }
    }
    let shared = found.removeValue(forKey: "") ?? [:]
    for (path, tensors) in found { addModule(path, tensors, shared: shared) }
    let adapted = Set(found.keys)
    for entry in whole { addWhole(entry.path, tensor: entry.tensor, besideAdapters: adapted) }
    modules.sort { $0.path < $1.path }
    remarkOnBiases()
    remarkOnForeign()
    remarkOnShapeless()
    remarkOnConfiguration()
  }

  /// PEFT's wrappers put one or two prefixes before the base model's own path.
  private static func withoutPrefix(_ name: String) -> String {
    let prefix = ["base_model.model.", "base_model."].first { name.hasPrefix($0) } ?? ""
    // A raw state dictionary keeps the wrapper's part of the name, which PEFT's save_pretrained takes out.
    return String(name.dropFirst(prefix.count)).replacing(".modules_to_save.default.", with: ".")
  }

  /// The module's path and the part that a tensor is of it, or nil for a tensor that is not the method's.
  ///
  /// PEFT's names are `<module>.lora_A.weight`, `<module>.lora_magnitude_vector`; raw state dictionaries keep the adapter's name,
  /// as in `<module>.lora_A.default.weight`. What all modules share has no path.
  private func part(of name: String) -> (path: String, part: String, isBias: Bool)? {
    let names = name.split(separator: ".", omittingEmptySubsequences: false)
    guard let index = names.lastIndex(where: { parts.contains(String($0)) }), names.count - index <= 3 else {
      return nil
    }
    let isBias = names.last == "bias"
    return (names[..<index].joined(separator: "."), String(names[index]), isBias)
  }

  private mutating func skip(_ path: String, _ reason: String) {
    skippedModules.append(path)
    remarks.append(AdapterRemark(.notAnalysed, module: path, "\(path): \(reason)"))
  }

  private mutating func addModule(_ path: String, _ tensors: [String: String], shared: [String: String]) {
    let found = FoundTensors(
      path: path, names: tensors, configuration: configuration, weights: weights, shared: shared)
    guard let method = methods.first(where: { $0.owns(found) }) else {
      return skip(path, "its tensors (\(tensors.keys.sorted().joined(separator: ", "))) are those of no method")
    }
    do throws(UnfitModule) {
      modules.append(try method.module(found))
    } catch {
      skip(path, error.reason)
    }
  }

  private mutating func addWhole(_ path: String, tensor: String, besideAdapters adapted: Set<String>) {
    // PEFT saves a copy of the base weight beside a trained embedding; it is no part of the update.
    if path.hasSuffix(".base_layer.weight") { return }
    guard let entry = weights.tensors[tensor] else { return }
    if StoredMethods.name(tensor) { return foreign.append(tensor) }
    guard path.hasSuffix(".weight") else {
      if configuration.type == StoredWhole.type { return shapeless.append((tensor, entry.shape)) }
      remarks.append(AdapterRemark(.notAnalysed, "the tensor \(tensor) is no part of LoRA and is left out"))
      return
    }
    let module = String(path.dropLast(".weight".count))
    if adapted.contains(module) { return }
    if modules.contains(where: { $0.path == module }) {
      remarks.append(AdapterRemark(.notAnalysed, module: module, "the tensor \(tensor) stands twice and is left out"))
      return
    }
    guard let whole = StoredWhole.module(module, tensor: tensor, entry) else {
      return shapeless.append((tensor, entry.shape))
    }
    modules.append(whole)
  }
}

// MARK: - Remarks

extension AdapterReading {
  private mutating func remarkOnForeign() {
    guard let first = foreign.first else { return }
    remarks.append(
      AdapterRemark(
        .notAnalysed, value: Double(foreign.count),
        "\(foreign.count) tensors are those of another method than \(configuration.type), such as \(first)"))
  }

  private mutating func remarkOnBiases() {
    for (part, paths) in biases {
      let others = paths.count > 1 ? " (and so are those of \(paths.count - 1) more modules)" : ""
      remarks.append(
        AdapterRemark(
          .notAnalysed, module: paths[0], "\(paths[0]): the trained bias of \(part) is left out\(others)"))
    }
  }

  /// Every norm and bias of a whole model lacks a spectrum; of an adapter, each one is worth a word.
  private mutating func remarkOnShapeless() {
    if configuration.type == StoredWhole.type, let first = shapeless.first {
      remarks.append(
        AdapterRemark(
          .notAnalysed, value: Double(shapeless.count),
          "\(shapeless.count) tensor\(shapeless.count == 1 ? " is no matrix of numbers and has" : "s are no matrices of numbers and have") "
            + "no spectrum, such as \(first.name) of shape \(first.shape)"))
      return
    }
    for (name, shape) in shapeless {
      remarks.append(
        AdapterRemark(.notAnalysed, "the trained tensor \(name) of shape \(shape) is no matrix and has no spectrum"))
    }
  }

  private mutating func remarkOnConfiguration() {
    let adapted = modules.filter { $0.rank != nil }
    let offConfig = adapted.filter { $0.reportedRank != $0.rank }
    if let first = offConfig.first {
      remarks.append(
        AdapterRemark(
          .rankOffConfiguration, value: Double(first.rank!),
          "\(offConfig.count) of \(adapted.count) modules have another rank than the configuration says: \(first.path) has "
            + "rank \(first.rank!), the configuration gives it \(first.configuredRank!). Its scaling is taken "
            + "from the configuration; check that configuration and weights belong together"))
    }
    guard methods.contains(where: { $0.fields.alpha != nil }) else { return }
    if !configuration.statesAlpha {
      remarks.append(AdapterRemark(.alphaIsMissing, configuration.missingAlpha))
    }
    let silenced = adapted.filter { $0.scaling == 0 }
    if !silenced.isEmpty {
      remarks.append(
        AdapterRemark(
          .alphaIsZero, value: 0,
          "\(configuration.alphaName) is 0 for \(silenced.count) of \(adapted.count) modules, so their update is zero whatever "
            + "was trained. Some checkpoint mergers write it when they lack the training's metadata; restore the α of the "
            + "training"))
    }
  }
}
