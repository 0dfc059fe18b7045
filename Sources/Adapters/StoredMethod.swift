import OrderedCollections
import Weights

/// How a method lies in an adapter's files, and what its tensors make of a weight: all that analysis asks of a method.
///
/// A method is one conforming type and one line of `StoredMethods.all`.
package protocol StoredMethod: Sendable {
  /// PEFT's `peft_type`, of which there may be several methods.
  static var type: String { get }
  /// What the rows of its modules are called, where nothing says better.
  static var method: AdapterMethod { get }
  /// What its fields of the configuration are called.
  static var fields: ConfigurationFields { get }
  /// The names of its tensors behind a module's path, such as `lora_A`.
  static var parts: Set<String> { get }

  /// True where the tensors below one path are this method's.
  static func owns(_ found: FoundTensors) -> Bool

  /// The module that the tensors below one path are, from their shapes.
  ///
  /// - Throws: why they cannot be analysed.
  static func module(_ found: FoundTensors) throws(UnfitModule) -> AdapterFolder.Module

  /// The weights of the base that a module changes: one for most methods.
  static func matches(
    of module: AdapterFolder.Module, isFanInFanOut: Bool, in matcher: ModuleMatcher
  ) throws(ModuleMatcher.Mismatch) -> [ModuleMatcher.Match]

  /// The weight that the module's tensors make of what it matched, whose size the module has taken.
  ///
  /// - Throws: `FileError` where a tensor is cut short or holds non-finite values.
  static func weight(
    of module: AdapterFolder.Module, at match: ModuleMatcher.Match, in folder: AdapterFolder
  ) throws(FileError) -> any StoredWeight

  /// True where the module's tensors are as before training, as far as they tell without the base.
  static func isUntrained(_ module: AdapterFolder.Module, in folder: AdapterFolder) throws(FileError) -> Bool
}

extension StoredMethod {
  package static var fields: ConfigurationFields { ConfigurationFields() }

  package static func owns(_ found: FoundTensors) -> Bool { !parts.isDisjoint(with: found.names.keys) }

  package static func matches(
    of module: AdapterFolder.Module, isFanInFanOut: Bool, in matcher: ModuleMatcher
  ) throws(ModuleMatcher.Mismatch) -> [ModuleMatcher.Match] {
    [try matcher.match(module, isFanInFanOut: isFanInFanOut)]
  }

  /// An update that is a product, of whatever kind, is zero where one of its tensors is.
  package static func isUntrained(
    _ module: AdapterFolder.Module, in folder: AdapterFolder
  ) throws(FileError) -> Bool {
    for part in parts.sorted() where module.tensors[part] != nil {
      let values = try folder.values(part, of: module)
      if !values.isEmpty, values.allSatisfy({ $0 == 0 }) { return true }
    }
    return false
  }
}

/// The methods that are analysed. Of those that share a type, the first that owns a module's tensors takes them.
package enum StoredMethods {
  static let all: [any StoredMethod.Type] = [
    StoredDoRA.self,
    StoredExpertLoRA.self,
    StoredLoRA.self,
    StoredAdaLoRA.self,
    StoredMiSS.self,
    StoredBone.self,
    StoredVeRA.self,
    StoredIA3.self,
    StoredNorm.self,
    StoredLoHa.self,
    StoredLoKr.self,
    StoredMLX.self,
    StoredWhole.self,
  ]

  /// True for a tensor that is called as one of a method is.
  package static func name(_ tensor: String) -> Bool {
    tensor.split(separator: ".").contains { parts.contains(String($0)) }
  }

  /// MLX's `m` is too short to tell.
  private static let parts = all.reduce(into: Set<String>()) { $0.formUnion($1.parts) }.subtracting(["m"])

  /// The methods of one `peft_type`.
  static func of(type: String) -> [any StoredMethod.Type] { all.filter { $0.type == type } }
}

/// What a method calls the fields of `adapter_config.json`, and PEFT's defaults for them.
package struct ConfigurationFields: Sendable {
  /// The rank's; nil where the method has none.
  package var rank: String? = "r"
  package var defaultRank = 8
  /// The field of α; nil where the method has none.
  package var alpha: String? = "lora_alpha"
  /// The field that says how the adapter began; nil where it can begin in one way only.
  package var start: String? = "init_lora_weights"
  /// True where `rank_pattern` maps names to ranks.
  package var hasPatterns = true
}

/// Why the tensors of a module cannot be analysed.
package struct UnfitModule: Error {
  package var reason: String

  package init(_ reason: String) { self.reason = reason }
}

/// The tensors below one path of an adapter file.
package struct FoundTensors {
  package let path: String
  /// Their full names, by the names that the method gives its tensors.
  package let names: [String: String]
  package let configuration: PEFTConfiguration
  package let weights: TensorCollection
  /// Tensors that belong to all modules, by the method's names for them.
  package let shared: [String: String]

  /// The shape of a tensor that must be there, with as many axes as it must have.
  ///
  /// - Throws: what is missing, is of a type that is not read, or has other axes.
  package func shape(_ part: String, axes: Int = 2) throws(UnfitModule) -> [Int] {
    guard let name = names[part] ?? shared[part], let entry = weights.tensors[name] else {
      throw UnfitModule("expected the tensor \(part), found none")
    }
    guard entry.elementType.format != nil else {
      throw UnfitModule("tensors of type \(entry.elementType) are not read")
    }
    guard entry.shape.count == axes else {
      throw UnfitModule(
        "expected \(axes == 2 ? "matrices" : "\(part) of \(axes) dimension\(axes == 1 ? "" : "s")"), found tensors of "
          + "\(entry.shape.count) dimensions\(entry.shape.count > 2 ? " (a convolution?)" : "")")
    }
    return entry.shape
  }

  /// The coarsest of the formats in which the tensors are stored.
  package var format: FloatFormat {
    names.values.compactMap { weights.tensors[$0]?.elementType.format }
      .max { $0.unitRoundoff < $1.unitRoundoff } ?? .float32
  }

  /// A module of these tensors.
  package func module(
    _ method: any StoredMethod.Type, rows: Int?, columns: Int?, rank: Int? = nil, scaling: Double? = nil
  ) -> AdapterFolder.Module {
    AdapterFolder.Module(
      path: path, stored: StoredForm(method), tensors: names.merging(shared) { own, _ in own }, rows: rows,
      columns: columns, rank: rank, configuredRank: rank.map { _ in configuration.rank(of: path) }, scaling: scaling,
      format: format)
  }
}

/// A method's type, as a value that can be compared.
package struct StoredForm: Equatable, Sendable {
  package let method: any StoredMethod.Type

  package init(_ method: any StoredMethod.Type) { self.method = method }

  package static func == (a: StoredForm, b: StoredForm) -> Bool { a.method == b.method }

  /// True for one of the given methods.
  package func isOne(of methods: any StoredMethod.Type...) -> Bool { methods.contains { $0 == method } }
}
