import Foundation
import OrderedCollections
import Weights

/// What Hugging Face PEFT's `adapter_config.json` says that decides the update; fields it does not need are ignored.
package struct PEFTConfiguration: Equatable, Sendable {
  /// How the adapter began, from `init_lora_weights`.
  package enum Initialization: Equatable, Sendable {
    /// The update is zero at step 0 and the base is untouched (`true`, `gaussian`, `eva`, `orthogonal`, `mica`, `bat`, `mini`,
    /// `lycoris`).
    case zero
    /// The leading part of the weight moved into the adapter, by an exact SVD: reproducible from the base.
    case pissa
    /// The base was changed by −s·B₀·A₀ at a start that cannot be reproduced (`pissa_niter_k`, `olora`, `corda`, `loftq`, `lora_ga`).
    case subtracted(String)
    /// A start that is neither zero nor a change of the base that is known (`false`: random; anything newer).
    case other(String)

    /// The field's own word for it.
    package var name: String {
      switch self {
      case .zero: "zero"
      case .pissa: "pissa"
      case .subtracted(let name), .other(let name): name
      }
    }
  }

  /// `LORA`, `VERA`, `IA3`, …
  package var type: String
  /// `r`; of AdaLoRA `init_r`, the rank that it began with.
  package var rank = 8
  package var alpha = 8.0
  /// False where the file leaves α out; then the default of who wrote it is taken.
  package var statesAlpha = false
  /// s itself, where the file states that and no α (MLX).
  package var statedScaling: Double?
  package var usesRankStabilization = false
  package var usesDoRA = false
  package var isFanInFanOut = false
  package var initialization = Initialization.zero
  /// The word for the start as it is written, which names variants of MiSS.
  package var startName: String?
  /// Patterns in the file's order: the first that matches a module decides.
  package var rankPattern: [Pattern] = []
  package var alphaPattern: [Pattern] = []
  package var modulesToSave: [String] = []
  /// The parameters that are no layers' weights, such as those that hold all experts, by the ends of their names.
  package var targetParameters: [String] = []
  /// As written: a hub id, or a path of the machine that trained.
  package var baseModel: String?
  /// True where `layer_replication` builds the model from repeated layers of the base.
  package var replicatesLayers = false

  init(type: String) { self.type = type }

  /// One entry of `rank_pattern` or `alpha_pattern`: a regular expression for the end of a module's path.
  package struct Pattern: Equatable, Sendable {
    package var expression: String
    package var value: Double
  }

  /// The name of the configuration file in an adapter folder.
  package static let fileName = "adapter_config.json"
}

// MARK: - Reading

extension PEFTConfiguration {
  /// Reads `adapter_config.json`.
  ///
  /// - Parameter type: of the adapter, for a file that has no `peft_type`.
  /// - Throws: `FileError` where the file cannot be opened, is no JSON, or a field that decides the update has no usable value.
  package init(path: String, type stated: String? = nil) throws(FileError) {
    let json = try JSONValue(contentsOf: path, allowingNonFinite: true)
    guard json.object != nil else {
      throw FileError(.badContent, path: path, "expected a JSON object, found another kind of value")
    }
    let fields = Fields(json: json, path: path)
    type = if let stated { stated } else { try fields.string("peft_type").map { $0.uppercased() } ?? "" }
    if type.isEmpty {
      throw FileError(
        .badContent, path: path, object: "peft_type", "expected the name of a PEFT method, found none",
        remedy: "Pass a folder written by PEFT's save_pretrained")
    }
    let known = StoredMethods.of(type: type).first?.fields ?? ConfigurationFields()
    if let name = known.rank { rank = try fields.int(name) ?? known.defaultRank }
    if let name = known.alpha {
      statesAlpha = json[name].map { !$0.isNull } ?? false
      alpha = try fields.number(name) ?? 8
    }
    usesRankStabilization = try fields.bool("use_rslora")
    usesDoRA = try fields.bool("use_dora")
    isFanInFanOut = try fields.bool("fan_in_fan_out")
    if let name = known.start {
      initialization = Self.initialization(json[name] ?? .bool(true))
      startName = json[name]?.string?.lowercased()
    }
    if known.hasPatterns {
      rankPattern = try fields.pattern("rank_pattern")
      alphaPattern = try fields.pattern("alpha_pattern")
    }
    modulesToSave = json["modules_to_save"]?.array?.compactMap(\.string) ?? []
    targetParameters = json["target_parameters"]?.array?.compactMap(\.string) ?? []
    baseModel = json["base_model_name_or_path"]?.string
    replicatesLayers = json["layer_replication"]?.array?.isEmpty == false
    try requirePositiveRanks(known, path: path)
  }

  private func requirePositiveRanks(_ known: ConfigurationFields, path: String) throws(FileError) {
    guard let name = known.rank, !StoredMethods.of(type: type).isEmpty else { return }
    if let wrong = rankPattern.first(where: { $0.value < 1 || Int32(exactly: $0.value) == nil }) {
      throw FileError(
        .badContent, path: path, object: "rank_pattern",
        "expected positive whole numbers, found \(wrong.value) for \(FileError.quoted(wrong.expression))")
    }
    if rank < 1 {
      throw FileError(.badContent, path: path, object: name, "expected a positive whole number, found \(rank)")
    }
  }

  private static func initialization(_ value: JSONValue) -> Initialization {
    if let isDefault = value.bool { return isDefault ? .zero : .other("random") }
    return switch value.string?.lowercased() {
    case nil: value.isNull ? .zero : .other(value.text())
    case "gaussian", "eva", "orthogonal", "mica", "true", "bat", "mini", "lycoris": .zero
    case "pissa": .pissa
    case let name? where name.hasPrefix("pissa_niter_") || ["olora", "corda", "lora_ga", "loftq"].contains(name):
      .subtracted(name)
    case let name?: .other(name)
    }
  }

  /// Typed access to the fields of one configuration, with errors that name the field.
  private struct Fields {
    var json: JSONValue
    var path: String

    private func value(_ key: String) -> JSONValue? {
      guard let value = json[key], !value.isNull else { return nil }
      return value
    }

    func bool(_ key: String) throws(FileError) -> Bool {
      guard let value = value(key) else { return false }
      guard let flag = value.bool else { throw wrong(key, expected: "true or false") }
      return flag
    }

    private func wrong(_ key: String, expected: String) -> FileError {
      // JSON has no word for a number that is not finite, which Python writes all the same.
      let number = value(key)?.double.flatMap {
        $0.isFinite ? nil : $0.isNaN ? "NaN" : $0 > 0 ? "Infinity" : "-Infinity"
      }
      let found = number ?? value(key)?.text() ?? "null"
      return FileError(.badContent, path: path, object: key, "expected \(expected), found \(found)")
    }

    func string(_ key: String) throws(FileError) -> String? {
      guard let value = value(key) else { return nil }
      guard let text = value.string else { throw wrong(key, expected: "a string") }
      return text
    }

    func number(_ key: String) throws(FileError) -> Double? {
      guard let value = value(key) else { return nil }
      guard let number = value.double, number.isFinite else { throw wrong(key, expected: "a finite number") }
      return number
    }

    func int(_ key: String) throws(FileError) -> Int? {
      guard let value = value(key) else { return nil }
      guard let number = value.int else { throw wrong(key, expected: "a whole number") }
      return number
    }

    func pattern(_ key: String) throws(FileError) -> [Pattern] {
      guard let value = value(key) else { return [] }
      guard let entries = value.object else { throw wrong(key, expected: "an object") }
      return try entries.map { entry throws(FileError) in
        guard let number = entry.value.double, number.isFinite else { throw wrong(key, expected: "finite numbers") }
        guard (try? NSRegularExpression(pattern: PEFTConfiguration.wholeExpression(entry.key))) != nil else {
          throw wrong(key, expected: "regular expressions")
        }
        return Pattern(expression: entry.key, value: number)
      }
    }
  }
}

// MARK: - Per module

extension PEFTConfiguration {
  /// The rank that the configuration gives the module at this path (PEFT's path, without its prefix).
  package func rank(of path: String) -> Int {
    Self.first(of: rankPattern, matching: path).map { Int($0) } ?? rank
  }

  /// s of ΔW = s·B·A: α/r, or α/√r where ranks are stabilised (rsLoRA), with the patterns' α and r.
  package func scaling(of path: String) -> Double {
    if let statedScaling { return statedScaling }
    let r = Double(rank(of: path))
    return alpha(of: path) / (usesRankStabilization ? r.squareRoot() : r)
  }

  /// The α that the configuration gives the module at this path.
  package func alpha(of path: String) -> Double {
    Self.first(of: alphaPattern, matching: path) ?? alpha
  }

  /// True where this type of adapter has an α, and the file states no scaling in its place.
  package var hasAlpha: Bool {
    statedScaling == nil && StoredMethods.of(type: type).contains { $0.fields.alpha != nil }
  }

  /// What this type of adapter calls the start.
  package var startField: String {
    StoredMethods.of(type: type).compactMap { $0.fields.start }.first ?? "init_lora_weights"
  }

  /// What this type of adapter calls α.
  var alphaName: String { StoredMethods.of(type: type).compactMap { $0.fields.alpha }.first ?? "lora_alpha" }

  /// What is to be said where α is missing.
  var missingAlpha: String {
    statedScaling == nil
      ? "\(alphaName) is missing from the configuration; PEFT's default, 8, is taken. Every norm scales with it"
      : "the scale is missing from the configuration; MLX's default, \(statedScaling!), is taken. Every norm scales with it"
  }

  private static func wholeExpression(_ expression: String) -> String { "^(.*\\.)?(\(expression))$" }

  /// PEFT matches a pattern with the whole path or with its end after a dot, and takes the first that matches.
  private static func first(of patterns: [Pattern], matching path: String) -> Double? {
    patterns.first { path.range(of: wholeExpression($0.expression), options: .regularExpression) != nil }?.value
  }
}
