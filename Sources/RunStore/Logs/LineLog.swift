import OrderedCollections
import Weights

/// Logs with one JSON object a line: verl's, whose numbers are in an object `data`, and any with a step and numbers beside it.
enum LineLog {
  static func read(_ path: String) throws(FileError) -> TrainingLog {
    var records = TrainingRecords()
    var kind: TrainingLog.Kind?
    for line in LogText.lines(of: try LogText.read(path)) {
      do throws(RecordError) {
        // The end of a log that is being written is no line yet.
        guard let members = try members(of: line.bytes, isUnfinished: !line.isEnded && kind != nil) else { break }
        let (lineKind, record) = try record(of: members)
        kind = kind ?? lineKind
        records.take(record, overwriting: true)
      } catch {
        throw FileError(
          .badContent, path: path, object: "line \(line.number)", error.problem,
          remedy: line.isEnded ? "Mend the line, or take it out" : "Wait if it is still being written")
      }
    }
    return TrainingLog(kind ?? .jsonLines, [path], records)
  }

  /// The members of a line's object; nil where it is none and need be none.
  private static func members(
    of line: ArraySlice<UInt8>, isUnfinished: Bool
  ) throws(RecordError) -> OrderedDictionary<String, JSONValue>? {
    do throws(JSONError) {
      let json = try JSONValue(parsing: Array(line), allowingNonFinite: true)
      if let members = json.object { return members }
    } catch {
      if isUnfinished { return nil }
      throw RecordError(problem: "expected a JSON object, found other text: \(error.problem)")
    }
    throw RecordError(problem: "expected a JSON object, found another value")
  }

  private static func record(
    of members: OrderedDictionary<String, JSONValue>
  ) throws(RecordError) -> (TrainingLog.Kind, TrainingRecords.Record) {
    var record = try TrainingRecords.Record(stepIn: members)
    if let data = members["data"]?.object {
      // verl writes with orjson, which has null for NaN and the infinities.
      record.takeNumbers(of: data, null: .nan)
      return (.verl, record)
    }
    record.takeNumbers(of: members, null: nil)
    record.takeSeries(of: members)
    return (.jsonLines, record)
  }
}

extension TrainingRecords.Record {
  /// An empty record of the step that an object names, by the first of `TrainingColumn.stepNames` that it has.
  init(stepIn members: OrderedDictionary<String, JSONValue>) throws(RecordError) {
    let name = TrainingColumn.stepNames.first { members[$0] != nil } ?? TrainingColumn.stepNames[0]
    self.init(step: try Self.step(members[name], named: name))
  }

  /// Takes over the members that are numbers or null but for the step; others are no columns.
  mutating func takeNumbers(of members: OrderedDictionary<String, JSONValue>, null: Double?) {
    let stepName = TrainingColumn.stepNames.first { members[$0] != nil }
    for (name, value) in members where name != stepName {
      if value.isNull {
        set(null, for: name)
      } else if let number = value.double {
        set(number, for: name)
      }
    }
  }

  /// Takes over the members that are objects of numbers, as our own records have them by module.
  fileprivate mutating func takeSeries(of members: OrderedDictionary<String, JSONValue>) {
    for (name, value) in members {
      guard let object = value.object, object.values.allSatisfy({ $0.isNull || $0.double != nil }) else { continue }
      series[name] = object.mapValues { $0.double.flatMap { $0.isFinite ? $0 : nil } }
    }
  }
}
