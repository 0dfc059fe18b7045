import Foundation
import OrderedCollections
import Weights

/// What training recorded: `training.jsonl`, one JSON object a line and a step.
///
/// A record begins with `step`; its other members are numbers, null where undefined, or objects with a number for each module.
/// Names with a slash, as TRL has them, get an underscore in its place.
package struct TrainingRecords: Equatable, Sendable {
  /// One step: columns by name in the order of the record, without `step`.
  package struct Record: Equatable, Sendable {
    package var step: Int
    /// Numbers of the run as a whole; nil where undefined.
    package var values: OrderedDictionary<String, Double?> = [:]
    /// Numbers by module.
    package var series: OrderedDictionary<String, OrderedDictionary<String, Double?>> = [:]
    /// The columns of `values` that are undefined because the log has NaN or an infinity there, not because it has nothing.
    package var nonFinite: Set<String> = []
  }

  /// The records by step, in the order in which the steps first came.
  private var byStep: OrderedDictionary<Int, Record> = [:]

  package init() {}

  /// In ascending order of steps, each step once: of a step that was recorded twice, as by a run that was resumed, the last.
  package var records: [Record] { byStep.values.sorted { $0.step < $1.step } }

  package var isEmpty: Bool { byStep.isEmpty }

  /// The names of the columns with one number a step, without `step`, in the order of their first occurrence.
  package var columns: OrderedSet<String> {
    records.reduce(into: []) { $0.formUnion($1.values.keys) }
  }

  /// The names of the columns with a number for each module, in the order of their first occurrence.
  package var seriesColumns: OrderedSet<String> {
    records.reduce(into: []) { $0.formUnion($1.series.keys) }
  }

  /// Every module that a column has a number for, in natural order.
  package var modules: [String] {
    let names = records.reduce(into: Set<String>()) { names, record in
      for series in record.series.values { names.formUnion(series.keys) }
    }
    return names.sorted(by: NaturalOrder.precedes)
  }
}

// MARK: - Reading

extension TrainingRecords {
  /// Reads a file, as far as it is written: a last line without its line feed is left out. A missing file has no records.
  ///
  /// Throws `.cannotOpen`, or `.badContent` with the line that is no record.
  package init(path: String) throws(FileError) {
    guard FileManager.default.fileExists(atPath: path) else { return }
    let file = try PositionedFile(path: path)
    let bytes = try file.read(file.size, at: 0)
    let end = bytes.lastIndex(of: UInt8(ascii: "\n")) ?? 0
    for (index, line) in bytes[..<end].split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
      .enumerated()
    {
      if line.allSatisfy({ [0x20, 0x09, 0x0D].contains($0) }) { continue }
      do throws(RecordError) {
        add(try Record(json: Self.parse(line)))
      } catch {
        throw FileError(
          .badContent, path: path, object: "line \(index + 1)", error.problem, remedy: "Mend the line, or take it out")
      }
    }
  }

  /// The step that a line records; nil for one that is no record.
  static func step(ofLine line: ArraySlice<UInt8>) -> Int? {
    (try? parse(line)).flatMap { $0["step"]?.int }
  }

  mutating func add(_ record: Record) { byStep[record.step] = record }

  /// Changes the record of a step, a new one where there was none.
  mutating func update(at step: Int, _ change: (inout Record) -> Void) {
    change(&byStep[step, default: Record(step: step)])
  }

  /// Leaves out what was recorded from a step on: of one column, or everything.
  mutating func remove(_ column: String? = nil, from step: Int) {
    guard let column else { return byStep.removeAll { $0.key >= step } }
    for later in byStep.keys where later >= step { byStep[later]!.remove(column) }
  }

  private static func parse(_ line: ArraySlice<UInt8>) throws(RecordError) -> JSONValue {
    do throws(JSONError) {
      return try JSONValue(parsing: Array(line), allowingNonFinite: true)
    } catch {
      throw RecordError(problem: "expected a JSON object, found other text: \(error.problem)")
    }
  }
}

/// Why something is no record.
struct RecordError: Error {
  var problem: String
}

extension TrainingRecords.Record {
  init(json: JSONValue) throws(RecordError) {
    guard let members = json.object else { throw RecordError(problem: "expected a JSON object, found another value") }
    self.init(step: try Self.step(json["step"], named: "step"))
    for (key, value) in members where key != "step" {
      let name = key.replacing("/", with: "_")
      guard !TrainingColumn.reservedNames.contains(name) else {
        throw RecordError(problem: "expected another name for a column, found \(FileError.quoted(key))")
      }
      if let object = value.object {
        var numbers: OrderedDictionary<String, Double?> = [:]
        for (module, value) in object {
          numbers.updateValue(
            try Self.number(value, of: "\(key) of \(module)").flatMap { $0.isFinite ? $0 : nil }, forKey: module)
        }
        series[name] = numbers
      } else {
        set(try Self.number(value, of: key), for: name)
      }
    }
  }

  /// The step that a JSON value says: a whole number of at least 0.
  static func step(_ value: JSONValue?, named name: String) throws(RecordError) -> Int {
    guard let step = value?.int, step >= 0 else {
      let found =
        switch value {
        case nil: "none"
        case .string(let text): FileError.quoted(text)
        case .array: "a list"
        case .object: "an object"
        case .some(let value): value.text()
        }
      throw RecordError(problem: "expected \(name) to be a whole number, found \(found)")
    }
    return step
  }

  private static func number(_ value: JSONValue, of key: String) throws(RecordError) -> Double? {
    if value.isNull { return nil }
    guard let number = value.double else {
      throw RecordError(
        problem: "expected \(FileError.quoted(key)) to be a number, null, or numbers by module, found another value")
    }
    return number
  }
}
