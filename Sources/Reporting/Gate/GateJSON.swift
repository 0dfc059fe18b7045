import Diagnosis
import Foundation
import OrderedCollections
import RunStore
import Weights

/// The report as one JSON object; `schema` says what is in it.
package enum GateJSON {
  /// Rises where a reader of the one before would misread the object.
  static let schemaVersion = 1

  /// The JSON schema of the object (2020-12).
  package static var schema: String {
    String(decoding: PackageResources.gate_schema_json, as: UTF8.self).trimmingCharacters(in: .newlines)
  }

  static func text(of report: GateReport) -> String { text(of: json(of: report)) }

  /// JSON without a character that a terminal would act on: those are escaped.
  static func text(of json: JSONValue) -> String {
    // Outside of strings JSON holds ASCII alone, and there line ends are the only control characters.
    json.text(pretty: true).replacingScalars { scalar in
      guard scalar != "\n", !scalar.mayBeShown else { return nil }
      return String(scalar).utf16.map { unit in
        let digits = String(unit, radix: 16)
        return "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      }.joined()
    }
  }

  private static func json(of report: GateReport) -> JSONValue {
    let result = report.result
    return [
      "schema_version": .integer(schemaVersion),
      "created_by": .string("spectroscope \(report.version)"),
      "outcome": .string(result.outcome.rawValue),
      "exit_code": .integer(Int(result.exitCode)),
      "summary": .string(report.summary),
      "file": .string(report.file),
      "source": .string(report.origin.source),
      "base": .string(report.origin.base),
      "method": .string(report.method),
      "depth": .string(report.origin.depth),
      "policy": report.policy.map(JSONValue.string) ?? .null,
      "cause": result.cause.map { .string($0.rawValue) } ?? .null,
      "onset": result.onset.map(JSONValue.integer) ?? .null,
      "last_healthy_checkpoint": result.lastHealthyCheckpoint.map(JSONValue.integer) ?? .null,
      "last_checkpoint": result.lastCheckpoint.map(JSONValue.integer) ?? .null,
      "findings": .array(findings(result)),
      "not_judged": .array(
        result.questions.map {
          ["kind": .string($0.gap.kind.rawValue), "text": .string($0.gap.text), "accepted": .bool($0.isAccepted)]
        }),
      "no_evidence": .array(
        Catalogue.kinds.map { $0.page }.compactMap { page in
          result.coverage.reasons[page.code].map {
            ["code": .string(page.code), "name": .string(page.name), "reason": .string($0)]
          }
        }),
    ]
  }

  /// The columns of `findings.csv`, and what the policy makes of each.
  private static func findings(_ result: GateResult) -> [JSONValue] {
    let columns = AnalysisTable.findings(result.entries.map(\.finding)).json.array ?? []
    return zip(columns, result.entries).map { columns, entry in
      var object = columns.object ?? [:]
      object["given_severity"] = .string(entry.givenSeverity.rawValue)
      object["fails"] = .bool(entry.fails)
      object["silenced"] = .bool(entry.isSilenced)
      object["reason"] = entry.reason.map(JSONValue.string) ?? .null
      return .object(object)
    }
  }
}
