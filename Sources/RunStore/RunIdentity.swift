import OrderedCollections
import Weights

/// What a training run is: everything that was fixed before its first step.
package struct RunIdentity: Equatable, Sendable {
  /// The name of the PEFT method on the command line, such as `lora`. Text, so that a run of a method that this program does not
  /// know can still be named.
  package var method: String
  /// The configured rank; nil for methods without one.
  package var rank: Int?
  package var alpha: Double?
  /// s of ΔW = s·B·A.
  package var scaling: Double?
  package var seed: Int
  /// The name of the task.
  package var task: String
  /// The base model's path as it was given, or `embeddedBase`; empty where unknown.
  package var base: String
  /// `BaseIdentity.sha256` of the base; empty where unknown.
  package var baseID: String
  /// The program and version that trained.
  package var createdBy: String
  /// The full configuration.
  package var configuration: JSONValue

  /// Stands in place of a path for the base that the program carries in itself.
  package static let embeddedBase = "embedded"

  package init(
    method: String, rank: Int? = nil, alpha: Double? = nil, scaling: Double? = nil, seed: Int, task: String,
    base: String,
    baseID: String, createdBy: String, configuration: JSONValue = [:]
  ) {
    self.method = method
    self.rank = rank
    self.alpha = alpha
    self.scaling = scaling
    self.seed = seed
    self.task = task
    self.base = base
    self.baseID = baseID
    self.createdBy = createdBy
    self.configuration = configuration
  }
}

// MARK: - HDF5

extension RunIdentity {
  /// Writes everything but the configuration as attributes, and a digest of everything; what is nil has none.
  func writeAttributes(to root: borrowing HDF5Group) throws(FileError) {
    for (name, field) in Self.texts { try root.setAttribute(name, self[keyPath: field]) }
    try root.setAttribute("seed", seed)
    if let rank { try root.setAttribute("rank", rank) }
    if let alpha { try root.setAttribute("alpha", alpha) }
    if let scaling { try root.setAttribute("scaling", scaling) }
    try root.setAttribute("identity_sha256", sha256)
  }

  /// Reads the attributes back; `configuration` is its JSON text. Of a file that others wrote, only the method must be there.
  ///
  /// Throws `.badContent` for attributes of another type, and where the digest says that one of them has changed.
  init(attributesOf root: borrowing HDF5Group, configuration: String) throws(FileError) {
    guard let method = try root.text("method") else {
      throw root.location.error("expected the attribute 'method', found none")
    }
    let parsed = try? JSONValue(parsing: configuration)
    self.init(
      method: method, rank: try root.number("rank"), alpha: try root.number("alpha"),
      scaling: try root.number("scaling"), seed: try root.number("seed") ?? 0, task: "", base: "", baseID: "",
      createdBy: "", configuration: parsed ?? [:])
    for (name, field) in Self.texts { self[keyPath: field] = try root.text(name) ?? "" }
    guard let stated = try root.text("identity_sha256"), stated != sha256 else { return }
    throw root.location.error(
      "expected attributes and configuration with the sha256 \(FileError.head(ofDigest: stated)), found "
        + "\(FileError.head(ofDigest: sha256)): they have changed since they were written",
      remedy: "Restore the file from a copy")
  }

  /// The SHA-256 of the identity as compact JSON.
  private var sha256: String {
    var digest = SHA256()
    digest.update([UInt8](json.text().utf8))
    return digest.hexadecimal
  }

  /// Everything that decides what an adapter means, in words: two runs that differ in it cannot be one series.
  var meaning: String {
    let numbers = [rank.map { "rank \($0)" }, alpha.map { "α \($0)" }, scaling.map { "scaling \($0)" }].compactMap {
      $0
    }
    let base = baseID.isEmpty ? [] : ["base \(FileError.head(ofDigest: baseID))"]
    return ([FileError.quoted(method)] + numbers + base).joined(separator: ", ")
  }

  /// The fields of text and the names of their attributes.
  private static var texts: [(name: String, field: WritableKeyPath<RunIdentity, String>)] {
    [
      ("method", \.method), ("task", \.task), ("base", \.base), ("base_id", \.baseID), ("created_by", \.createdBy),
    ]
  }
}

// MARK: - JSON

extension RunIdentity {
  /// The identity as one JSON object with the names of the attributes, null where there is no value.
  package var json: JSONValue {
    [
      "method": .string(method), "rank": rank.map(JSONValue.integer) ?? .null,
      "alpha": alpha.map(JSONValue.number) ?? .null, "scaling": scaling.map(JSONValue.number) ?? .null,
      "seed": .integer(seed), "task": .string(task), "base": .string(base), "base_id": .string(baseID),
      "created_by": .string(createdBy), "config": configuration,
    ]
  }

  /// Reads the object back; nil where a field is missing.
  package init?(json: JSONValue) {
    guard let method = json["method"]?.string, let seed = json["seed"]?.int, let task = json["task"]?.string,
      let base = json["base"]?.string, let baseID = json["base_id"]?.string,
      let createdBy = json["created_by"]?.string, let configuration = json["config"]
    else { return nil }
    self.init(
      method: method, rank: json["rank"]?.int, alpha: json["alpha"]?.double, scaling: json["scaling"]?.double,
      seed: seed,
      task: task, base: base, baseID: baseID, createdBy: createdBy, configuration: configuration)
  }
}
