import Diagnosis
import Foundation
import OrderedCollections
import RunStore
import Weights

/// `runs.csv`: every run of a corpus, one a line. A column `max_…` holds a signal's largest value while an alarm still counts, a column
/// `alarm_…` the step of a first alarm, whether it came in time or not; an empty cell says that there is none.
package struct CorpusTable: Equatable, Sendable {
  package var rows: [CorpusRow]

  package init(_ rows: [CorpusRow]) { self.rows = rows }

  private static let signalPrefix = "max_"
  private static let alarmPrefix = "alarm_"
  private static let fixed = [
    "run", "half", "base", "task", "method", "rank", "learning_rate", "warms_up", "seed", "steps", "label", "shape",
    "onset",
    "start_accuracy", "peak_accuracy", "final_accuracy", "retention",
  ]

  /// The table as CSV; numbers to four significant digits, which is more than seeds leave of them.
  package var csv: String {
    let signals = rows.reduce(into: OrderedSet<String>()) { $0.formUnion($1.signals.keys) }
    let alarms = rows.reduce(into: OrderedSet<String>()) { $0.formUnion($1.alarms.keys) }
    let isScored = rows.contains { !$0.alarms.isEmpty }
    let header =
      Self.fixed + signals.map { Self.signalPrefix + $0 } + alarms.map { Self.alarmPrefix + $0 }
      + (isScored ? ["cause"] + CorpusRow.Repeat.allCases.flatMap { ["\($0)_rate", "\($0)_label"] } : [])
    let lines = rows.map { row in
      Self.cells(row) + signals.map { Self.text(row.signals[$0]) }
        + alarms.map { row.alarms[$0].map(String.init) ?? "" }
        + (isScored ? Self.scoreCells(row) : [])
    }
    return ([header] + lines).map { $0.joined(separator: ",") + "\n" }.joined()
  }

  private static func cells(_ row: CorpusRow) -> [String] {
    let course = row.course
    return [
      row.run, row.half.rawValue, row.base, row.task, row.method, row.rank.map(String.init) ?? "",
      "\(row.learningRate)",
      row.warmsUp ? "yes" : "no", String(row.seed), String(row.steps), course.label.rawValue, course.shape.rawValue,
      course.onset.map(String.init) ?? "", text(course.start), text(course.peak), text(course.end), text(row.retention),
    ]
  }

  private static func scoreCells(_ row: CorpusRow) -> [String] {
    [row.cause?.rawValue ?? ""]
      + CorpusRow.Repeat.allCases.flatMap { kind in
        row.repeats[kind].map { ["\($0.learningRate)", $0.label.rawValue] } ?? ["", ""]
      }
  }

  private static func text(_ number: Double?) -> String {
    guard let number else { return "" }
    return JSONValue.number(Double(String(format: "%.3e", number))!).text()
  }

  /// - Throws: `.cannotOpen`, or `.badContent` for what is no such table.
  package init(reading path: String) throws(FileError) {
    let file = try PositionedFile(path: path)
    self = try CorpusTable(csv: file.read(file.size, at: 0)[...], path: path)
  }

  /// - Parameter path: what the text is called in errors.
  /// - Throws: `.badContent` for what is no such table.
  package init(csv bytes: ArraySlice<UInt8>, path: String) throws(FileError) {
    let table = try CommaSeparatedText.rows(of: bytes, path: path)
    guard let header = table.first?.fields, header.starts(with: Self.fixed) else {
      throw FileError(.badContent, path: path, "expected a table of runs with the columns \(Self.fixed), found another")
    }
    rows = try table.dropFirst().map { line throws(FileError) in
      guard line.fields.count == header.count, let row = Self.row(Array(zip(header, line.fields))) else {
        throw FileError(.badContent, path: path, object: "line \(line.line)", "expected a run, found something else")
      }
      return row
    }
  }

  private static func row(_ fields: [(name: String, text: String)]) -> CorpusRow? {
    let texts = Dictionary(uniqueKeysWithValues: fields.map { ($0.name, $0.text) })
    func number(_ name: String) -> Double? { texts[name].flatMap(Double.init) }
    func whole(_ name: String) -> Int? { texts[name].flatMap { Int($0) } }
    guard let half = texts["half"].flatMap(CorpusRow.Half.init), let label = texts["label"].flatMap(RunLabel.init),
      let shape = texts["shape"].flatMap(RunCourse.Shape.init), let rate = number("learning_rate"),
      let seed = whole("seed"), let steps = whole("steps"), let start = number("start_accuracy"),
      let peak = number("peak_accuracy"), let end = number("final_accuracy")
    else { return nil }
    var row = CorpusRow(
      run: texts["run"]!, half: half, base: texts["base"]!, task: texts["task"]!, method: texts["method"]!,
      rank: whole("rank"), learningRate: rate, warmsUp: texts["warms_up"] == "yes", seed: seed, steps: steps,
      course: RunCourse(label: label, shape: shape, onset: whole("onset"), start: start, peak: peak, end: end),
      retention: number("retention"))
    for (name, text) in fields where !text.isEmpty {
      if name.hasPrefix(signalPrefix) { row.signals[String(name.dropFirst(signalPrefix.count))] = Double(text) }
      if name.hasPrefix(alarmPrefix) { row.alarms[String(name.dropFirst(alarmPrefix.count))] = Int(text) }
    }
    row.cause = texts["cause"].flatMap(Cause.init)
    for kind in CorpusRow.Repeat.allCases {
      if let rate = number("\(kind)_rate"), let label = texts["\(kind)_label"].flatMap(RunLabel.init) {
        row.repeats[kind] = CorpusRow.Repetition(learningRate: rate, label: label)
      }
    }
    return row
  }
}
