import Diagnosis
import OrderedCollections
import Weights

/// The report as a SARIF 2.1.0 log, which code scanning services read.
enum GateSARIF {
  private static let schema =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"

  static func text(of report: GateReport) -> String {
    GateJSON.text(of: ["$schema": .string(schema), "version": "2.1.0", "runs": [run(report)]])
  }

  private static func run(_ report: GateReport) -> JSONValue {
    let result = report.result
    return [
      "tool": [
        "driver": [
          "name": "Spectroscope", "version": .string(report.version), "semanticVersion": .string(report.version),
          "rules": .array(Catalogue.kinds.map(rule)),
        ]
      ],
      "invocations": [
        [
          "executionSuccessful": true, "exitCode": .integer(Int(result.exitCode)),
          "exitCodeDescription": .string(result.outcome.rawValue),
          "toolExecutionNotifications": .array(result.questions.map(notification)),
        ]
      ],
      "columnKind": "unicodeCodePoints",
      "results": .array(results(report)),
      "properties": [
        "outcome": .string(result.outcome.rawValue), "summary": .string(report.summary.onOneLine),
        "onset": result.onset.map(JSONValue.integer) ?? .null,
        "lastHealthyCheckpoint": result.lastHealthyCheckpoint.map(JSONValue.integer) ?? .null,
      ],
    ]
  }

  private static func level(_ severity: Severity) -> JSONValue {
    switch severity {
    case .alert: "error"
    case .warning: "warning"
    case .info: "note"
    }
  }

  /// SARIF takes `[text](target)` for a link, which no name in a file may make.
  private static func message(_ text: String) -> JSONValue {
    ["text": .string(text.onOneLine.replacing("](", with: "] ("))]
  }

  /// What could not be judged; a warning unless the policy accepts it.
  private static func notification(_ question: GateResult.OpenQuestion) -> JSONValue {
    [
      "level": question.isAccepted ? "note" : "warning", "message": message("not judged: " + question.gap.text),
      "properties": ["kind": .string(question.gap.kind.rawValue), "accepted": .bool(question.isAccepted)],
    ]
  }
}

// MARK: - Rules

extension GateSARIF {
  private static func rule(_ kind: any FindingKind.Type) -> JSONValue {
    let page = kind.page
    return [
      "id": .string(page.code), "name": .string(page.name),
      "shortDescription": message(page.meaning.firstSentence),
      "fullDescription": message(page.meaning + " " + page.harm),
      "help": message(help(kind)),
      "defaultConfiguration": ["level": level(page.severity)],
      "properties": ["tags": [.string(Catalogue.family(of: page.code))]],
    ]
  }

  private static func help(_ kind: any FindingKind.Type) -> String {
    let page = kind.page
    let thresholds = page.thresholds.map { "\($0.quantity): \($0.value)" }.joined(separator: "; ")
    let parts: [String?] = [
      page.meaning, page.harm, "Evidence: \(page.evidence)", thresholds.isEmpty ? nil : "Thresholds: \(thresholds).",
      "What to do: \(kind.remedy(for: RunSetup()))", "Source: \(page.source)",
    ]
    return parts.compactMap(\.self).joined(separator: " ")
  }
}

// MARK: - Results

extension GateSARIF {
  private static func results(_ report: GateReport) -> [JSONValue] {
    var occurrences: [String: Int] = [:]
    return report.result.entries.map { entry in
      let digest = fingerprint(entry.finding)
      occurrences[digest, default: 0] += 1
      return result(entry, file: report.file, fingerprint: "\(digest):\(occurrences[digest]!)")
    }
  }

  private static func result(_ entry: GateResult.Entry, file: String, fingerprint: String) -> JSONValue {
    let finding = entry.finding
    var object: OrderedDictionary<String, JSONValue> = ["ruleId": .string(finding.code.onOneLine)]
    if let index = Catalogue.kinds.firstIndex(where: { $0.page.code == finding.code }) {
      object["ruleIndex"] = .integer(index)
    }
    // What fails by the policy is an error whatever its severity.
    object["level"] = entry.fails ? "error" : level(finding.severity)
    object["message"] = message([entry.sentence, finding.remedy].compactMap(\.self).joined(separator: ". "))
    object["locations"] = [location(finding, file: file)]
    object["partialFingerprints"] = ["spectroscopeFinding/v1": .string(fingerprint)]
    // SARIF wants suppressions with all results of a run, or with none.
    object["suppressions"] = entry.isSilenced ? [suppression(entry)] : []
    object["properties"] = .object(properties(entry))
    return .object(object)
  }

  private static func suppression(_ entry: GateResult.Entry) -> JSONValue {
    [
      "kind": "external", "status": "accepted",
      "justification": .string((entry.reason ?? "silenced by the policy").onOneLine),
    ]
  }

  private static func location(_ finding: Finding, file: String) -> JSONValue {
    var location: OrderedDictionary<String, JSONValue> = [
      "physicalLocation": ["artifactLocation": ["uri": .string(uri(of: file))]]
    ]
    if let module = finding.module?.onOneLine {
      let name = module.split(separator: ".").last.map(String.init) ?? module
      location["logicalLocations"] = [
        ["name": .string(name), "fullyQualifiedName": .string(module), "kind": "module"]
      ]
    }
    return .object(location)
  }

  private static func properties(_ entry: GateResult.Entry) -> OrderedDictionary<String, JSONValue> {
    let finding = entry.finding
    var properties: OrderedDictionary<String, JSONValue> = ["severity": .string(finding.severity.rawValue)]
    if let step = finding.step { properties["step"] = .integer(step) }
    let numbers = [
      ("value", finding.value), ("threshold", finding.threshold), ("baseline", finding.baseline),
      ("p_value", finding.pValue), ("effect_size", finding.effectSize),
    ]
    for case (let name, let value?) in numbers where value.isFinite { properties[name] = .number(value) }
    if let cause = finding.cause { properties["cause"] = .string(cause.rawValue) }
    if let treatment = entry.treatment { properties["policy"] = .string(treatment.onOneLine) }
    return properties
  }

  /// What makes a finding the same one in the next report: its kind, module and step, and not its numbers.
  private static func fingerprint(_ finding: Finding) -> String {
    var digest = SHA256()
    let parts = [finding.code, finding.module ?? "", finding.step.map(String.init) ?? ""]
    digest.update(Array(parts.joined(separator: "\0").utf8))
    return String(digest.hexadecimal.prefix(32))
  }

  /// A path as a URI reference (RFC 3986).
  private static func uri(of path: String) -> String {
    let encoded = path.utf8.map { byte -> String in
      let isKept =
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
        || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || "-._~/".utf8.contains(byte)
      let digits = String(byte, radix: 16, uppercase: true)
      return isKept ? String(UnicodeScalar(byte)) : "%" + (digits.count < 2 ? "0" : "") + digits
    }.joined()
    return path.hasPrefix("/") ? "file://" + encoded : encoded
  }
}
