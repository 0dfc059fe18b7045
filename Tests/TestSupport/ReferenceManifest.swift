import Foundation
import Weights

/// The cases of `Tests/References`: real PEFT checkpoints, and what an independent implementation finds in them.
package struct ReferenceCase: Sendable, CustomStringConvertible {
  package let name: String
  package let base: String
  package let source: String
  package let initial: String?
  package let method: String?
  package let modulesTable: String
  package let singularValuesTable: String
  /// Energy profiles, spectra of W₀ + ΔW, and how well conditioned each row's geometry is.
  package let profilesTable: String
  package let updatedTable: String
  package let conditioningTable: String

  package var description: String { name }

  /// The folder of the references.
  package static let folder = repositoryRoot + "/Tests/References"

  /// The manifest of the references.
  package static let manifest: JSONValue = {
    _ = oneBLASThread
    // A missing manifest must stop every test that depends on it.
    return try! JSONValue(contentsOf: folder + "/manifest.json")
  }()

  package static let all: [ReferenceCase] = manifest["cases"]!.array!.map { entry in
    func path(_ value: JSONValue?) -> String? { value?.string.map { folder + "/" + $0 } }
    return ReferenceCase(
      name: entry["name"]!.string!, base: path(entry["base"])!, source: path(entry["source"])!,
      initial: path(entry["initial"]), method: entry["method"]?.string,
      modulesTable: path(entry["expected"]!["modules"])!,
      singularValuesTable: path(entry["expected"]!["singular_values"])!,
      profilesTable: path(entry["expected"]!["profiles"])!, updatedTable: path(entry["expected"]!["updated"])!,
      conditioningTable: path(entry["expected"]!["conditioning"])!)
  }

  /// The case of that name.
  package static func named(_ name: String) -> ReferenceCase { all.first { $0.name == name }! }
}
