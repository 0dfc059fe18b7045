import Diagnosis
import Foundation
import Weights

/// The findings as JSON: a list of objects with the columns of `findings.csv`, null where there is no value.
///
/// Keys are sorted, so that equal findings make equal text. JSON has no infinity; it is written as the string
/// `"Infinity"` or `"-Infinity"`. NaN means that there is no value, as in the other tables.
package enum FindingsJSON {
  /// The findings as one line of JSON; `path` is the file it is for, in messages.
  package static func text(of findings: [Finding], path: String) throws(FileError) -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: "Infinity", negativeInfinity: "-Infinity", nan: "NaN")
    do {
      return String(decoding: try encoder.encode(findings.map(Record.init)), as: UTF8.self)
    } catch {
      throw FileError(.cannotWrite, path: path, object: "/findings", "cannot make JSON: \(error)")
    }
  }

  /// One finding as an object; `path` is the file it is for, in messages.
  static func value(of finding: Finding, path: String) throws(FileError) -> JSONValue {
    let text = try text(of: [finding], path: path)
    guard let value = try? JSONValue(parsing: Array(text.utf8)).array?.first else {
      throw FileError(.cannotWrite, path: path, "cannot make JSON of a finding")
    }
    return value
  }

  /// Reads the text back; `path` and `object` say in messages where it comes from.
  package static func findings(in text: String, path: String, object: String = "") throws(FileError) -> [Finding] {
    let decoder = JSONDecoder()
    decoder.nonConformingFloatDecodingStrategy = .convertFromString(
      positiveInfinity: "Infinity", negativeInfinity: "-Infinity", nan: "NaN")
    do {
      return try decoder.decode([Record].self, from: Data(text.utf8)).map(\.finding)
    } catch {
      throw FileError(
        .badContent, path: path, object: object, "expected a JSON list of findings, found other text: \(reason(error))")
    }
  }

  static func findings(in dataset: borrowing HDF5Dataset) throws(FileError) -> [Finding] {
    let (path, object) = (dataset.location.path, dataset.location.object)
    let texts = try dataset.readTexts()
    guard texts.count == 1 else { throw dataset.location.error("expected one text, found \(texts.count)") }
    return try findings(in: texts[0], path: path, object: object)
  }

  private static func reason(_ error: any Error) -> String {
    guard let error = error as? DecodingError else { return "\(error)" }
    switch error {
    case .dataCorrupted(let context), .typeMismatch(_, let context), .valueNotFound(_, let context):
      return context.debugDescription
    case .keyNotFound(let key, _): return "no '\(key.stringValue)'"
    @unknown default: return "\(error)"
    }
  }
}

/// The JSON form of a finding.
private struct Record: Codable {
  let finding: Finding

  enum Key: String, CodingKey {
    case step, code, name, severity, module, value, threshold, baseline
    case pValue = "p_value"
    case message
    case effectSize = "effect_size"
    case cause, remedy
  }

  init(_ finding: Finding) {
    self.finding = finding
  }

  init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: Key.self)
    finding = Finding(
      step: try fields.decodeIfPresent(Int.self, forKey: .step),
      code: try fields.decode(String.self, forKey: .code),
      name: try fields.decode(String.self, forKey: .name),
      severity: try fields.decode(Severity.self, forKey: .severity),
      module: try fields.decodeIfPresent(String.self, forKey: .module),
      value: try fields.decodeIfPresent(Double.self, forKey: .value),
      threshold: try fields.decodeIfPresent(Double.self, forKey: .threshold),
      baseline: try fields.decodeIfPresent(Double.self, forKey: .baseline),
      pValue: try fields.decodeIfPresent(Double.self, forKey: .pValue),
      effectSize: try fields.decodeIfPresent(Double.self, forKey: .effectSize),
      cause: try fields.decodeIfPresent(Cause.self, forKey: .cause),
      message: try fields.decode(String.self, forKey: .message),
      remedy: try fields.decodeIfPresent(String.self, forKey: .remedy))
  }

  /// `encode` with an optional writes null, where `encodeIfPresent` would leave the key out.
  func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: Key.self)
    try fields.encode(finding.step, forKey: .step)
    try fields.encode(finding.code, forKey: .code)
    try fields.encode(finding.name, forKey: .name)
    try fields.encode(finding.severity, forKey: .severity)
    try fields.encode(finding.module, forKey: .module)
    try fields.encode(present(finding.value), forKey: .value)
    try fields.encode(present(finding.threshold), forKey: .threshold)
    try fields.encode(present(finding.baseline), forKey: .baseline)
    try fields.encode(present(finding.pValue), forKey: .pValue)
    try fields.encode(finding.message, forKey: .message)
    try fields.encode(present(finding.effectSize), forKey: .effectSize)
    try fields.encode(finding.cause, forKey: .cause)
    try fields.encode(finding.remedy, forKey: .remedy)
  }

  private func present(_ value: Double?) -> Double? {
    value.flatMap { $0.isNaN ? nil : $0 }
  }
}
