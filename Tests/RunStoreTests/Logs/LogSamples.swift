import Foundation
import OrderedCollections
import RunStore
import TestSupport
import Testing
import Weights

/// Logs that TRL, PyTorch and pandas wrote, and what their generator says is in them.
enum LogReferences {
  static let folder = repositoryRoot + "/Tests/References/logs"

  static func path(_ name: String) -> String { folder + "/" + name }

  static func expected(_ name: String) throws -> JSONValue {
    try #require(try JSONValue(contentsOf: path("manifest.json"))["expected"]?[name])
  }
}

/// The log that a text in a file of this name is.
func log(_ text: String, _ name: String = "log.jsonl") throws -> TrainingLog {
  let folder = try TemporaryFolder()
  return try TrainingLog.read(path: try folder.write(name, text))
}

/// The message for a text in a file of this name, without the folder; nil where it was read.
func logError(_ text: String, _ name: String = "log.jsonl") throws -> String? {
  try logError([UInt8](text.utf8), name)
}

/// The message for bytes in a file of this name, without the folder; nil where they were read.
func logError(_ bytes: [UInt8], _ name: String) throws -> String? {
  let folder = try TemporaryFolder()
  let path = try folder.write(name, bytes)
  let error = fileError { () throws(FileError) in try TrainingLog.read(path: path) }
  #expect(error == nil || error?.kind == .badContent)
  return error?.description.replacing(folder.path + "/", with: "")
}

extension TrainingRecords {
  /// A column over the steps that have it.
  func column(_ name: String) -> [Int: Double?] {
    records.reduce(into: [:]) { column, record in
      if let value = record.values[name] { column.updateValue(value, forKey: record.step) }
    }
  }

  /// The steps at which the log has no finite number for a column.
  func nonFiniteSteps(_ name: String) -> [Int] { records.filter { $0.nonFinite.contains(name) }.map(\.step) }
}
