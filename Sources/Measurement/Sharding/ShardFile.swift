import Adapters
import Foundation
import RunStore
import Weights

/// What one shard of an analysis has found: lines of JSON, the last of which has the SHA-256 of all before it.
///
/// Every shard states the whole division, so that those that are there say what is missing.
struct ShardFile: Equatable {
  static let format = "spectroscope-shard 1"

  /// A module, the steps at which it is measured, and who measures it.
  struct Unit: Equatable {
    var module: String
    var steps: [Int]
    var shard: Int
  }

  var shard: Shard
  /// What the pieces depend on.
  var inputs: JSONValue
  var frame: AnalysisFrame
  var units: [Unit]
  /// By module.
  var references: [String: MeasuredReference]
  var pieces: [MeasurementPiece]

  /// The file of a shard in a folder.
  static func path(of shard: Shard, in folder: String) -> String { stem(of: shard, in: folder) + ".jsonl" }

  /// The same without its ending, which its journal shares.
  static func stem(of shard: Shard, in folder: String) -> String {
    folder + "/shard-\(shard.index)-of-\(shard.count)"
  }

  /// Whether a name in that folder is that of a shard's file.
  static func isName(_ name: String) -> Bool { name.hasPrefix("shard-") && name.hasSuffix(".jsonl") }
}

// MARK: - Writing

extension ShardFile {
  /// Writes the file whole; equal content makes equal bytes.
  func write(to path: String) throws(FileError) {
    let lines =
      [try header(path)] + references.sorted { $0.key < $1.key }.map { Self.line(module: $0.key, $0.value) }
      + pieces.sorted { ($0.module, $0.step) < ($1.module, $1.step) }.map(\.json)
    let text = lines.map { $0.text() + "\n" }.joined()
    var digest = SHA256()
    digest.update(Array(text.utf8))
    let end: JSONValue = ["sha256": .string(digest.hexadecimal)]
    try PendingFile.write(text + end.text() + "\n", to: path)
  }

  private func header(_ path: String) throws(FileError) -> JSONValue {
    [
      "format": .string(Self.format), "shard": .integer(shard.index), "of": .integer(shard.count), "inputs": inputs,
      "frame": try frame.json(path), "units": .array(units.map(\.json)),
    ]
  }

  private static func line(module: String, _ reference: MeasuredReference) -> JSONValue {
    [
      "reference": .string(module), "norm": .measured(reference.norm),
      "values": .array(reference.values.map(JSONValue.measured)), "kernels": .string(reference.kernels),
    ]
  }
}

extension ShardFile.Unit {
  fileprivate var json: JSONValue {
    ["module": .string(module), "steps": .array(steps.map(JSONValue.integer)), "shard": .integer(shard)]
  }

  fileprivate init?(json: JSONValue) {
    guard let module = json["module"]?.string, let steps = json["steps"]?.array, let shard = json["shard"]?.int
    else { return nil }
    self.init(module: module, steps: steps.compactMap(\.int), shard: shard)
  }
}

// MARK: - Reading

extension ShardFile {
  /// Reads a file.
  ///
  /// - Throws: `.cannotOpen`, or `.badContent` for one that is damaged, cut short, or of another format.
  init(path: String) throws(FileError) {
    let file = try PositionedFile(path: path)
    let bytes = try file.read(file.size, at: 0)
    let lines = bytes.split(separator: UInt8(ascii: "\n"))
    let remedy = "Run the shard again: it makes the file anew"
    guard lines.count > 1, bytes.last == UInt8(ascii: "\n"),
      let digest = (try? JSONValue(parsing: Array(lines.last!)))?["sha256"]?.string
    else {
      throw FileError(
        .badContent, path: path, "expected a shard of an analysis, found a file that is cut short or none",
        remedy: remedy)
    }
    var found = SHA256()
    bytes[..<lines.last!.startIndex].withUnsafeBytes { found.update($0) }
    guard found.hexadecimal == digest else {
      throw FileError(
        .badContent, path: path,
        "expected content with the sha256 \(FileError.head(ofDigest: digest)), found "
          + "\(FileError.head(ofDigest: found.hexadecimal)): it is damaged", remedy: remedy)
    }
    let parsed = lines.dropLast().compactMap { try? JSONValue(parsing: Array($0)) }
    guard parsed.count == lines.count - 1, parsed[0]["format"]?.string == Self.format, let read = Self(lines: parsed)
    else {
      throw FileError(
        .badContent, path: path, "expected \(Self.format), found a file of another version", remedy: remedy)
    }
    self = read
  }

  private init?(lines: [JSONValue]) {
    let header = lines[0]
    guard let index = header["shard"]?.int, let count = header["of"]?.int,
      let shard = try? Shard(index: index, count: count), let inputs = header["inputs"],
      let frame = header["frame"].flatMap(AnalysisFrame.init(json:)),
      let units = header["units"]?.array?.compactMap(Unit.init(json:))
    else { return nil }
    (self.shard, self.inputs, self.frame, self.units) = (shard, inputs, frame, units)
    (references, pieces) = ([:], [])
    for line in lines.dropFirst() {
      if let module = line["reference"]?.string {
        guard let reference = MeasuredReference(json: line) else { return nil }
        references[module] = reference
      } else {
        guard let piece = MeasurementPiece(json: line) else { return nil }
        pieces.append(piece)
      }
    }
  }
}

extension MeasuredReference {
  fileprivate init?(json: JSONValue) {
    guard let norm = json["norm"]?.measured, let values = json["values"]?.array, let kernels = json["kernels"]?.string
    else { return nil }
    self.init(norm: norm, values: values.compactMap(\.measured), kernels: kernels)
    guard self.values.count == values.count else { return nil }
  }
}

extension AnalysisFrame {
  fileprivate func json(_ path: String) throws(FileError) -> JSONValue {
    [
      "source": .string(origin.source), "base": .string(origin.base), "created_by": .string(origin.createdBy),
      "depth": .string(origin.depth), "coverage": .string(origin.coverage), "remarks": .array(remarks.map(\.json)),
      "setup": .string(try SetupJSON.text(of: setup, path: path)), "records": records.json,
      "damaged": .integer(damaged),
      "unmatched": .integer(unmatched),
    ]
  }

  fileprivate init?(json: JSONValue) {
    func text(_ name: String) -> String { json[name]?.string ?? "" }
    guard let remarks = json["remarks"]?.array, let setup = json["setup"]?.string.flatMap(SetupJSON.setup(in:)),
      let records = json["records"].flatMap(TrainingRecords.init(json:)), let damaged = json["damaged"]?.int,
      let unmatched = json["unmatched"]?.int
    else { return nil }
    self.init(
      origin: AnalysisOrigin(
        source: text("source"), base: text("base"), createdBy: text("created_by"), depth: text("depth"),
        coverage: text("coverage")),
      remarks: remarks.compactMap(AdapterRemark.init(json:)), setup: setup, records: records, damaged: damaged,
      unmatched: unmatched)
  }
}
