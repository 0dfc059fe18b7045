import Foundation
import OrderedCollections
import Weights

/// A log in CSV: a line of names, one of which is that of the steps, and rows of numbers. Rows of one step are joined.
///
/// Columns of text are left out; an empty cell, `None`, `null` and `NA` say nothing.
enum TableLog {
  private static let missing: Set<String> = ["", "none", "null", "na"]
  private static let nonFinite: [String: Double] = [
    "nan": .nan, "inf": .infinity, "+inf": .infinity, "-inf": -.infinity, "infinity": .infinity,
    "+infinity": .infinity, "-infinity": -.infinity,
  ]

  static func read(_ path: String) throws(FileError) -> TrainingLog {
    let text = try LogText.read(path)
    do throws(CommaSeparatedText.Failure) {
      // Without its line feed the last number may go on: the log is being written.
      let end = text.lastIndex(of: LogText.lineFeed).map { $0 + 1 } ?? text.startIndex
      let rows = try CommaSeparatedText.rows(of: text[..<end])
      return TrainingLog(.csv, [path], try records(of: rows))
    } catch {
      throw FileError(
        .badContent, path: path, object: "line \(error.line)", error.problem, remedy: "Mend the line, or take it out")
    }
  }

  private static func records(
    of rows: [CommaSeparatedText.Row]
  ) throws(CommaSeparatedText.Failure) -> TrainingRecords {
    guard let header = rows.first else {
      throw CommaSeparatedText.Failure(line: 1, problem: "expected a line of names, found none that is whole")
    }
    let (names, step) = try self.names(in: header)
    let isNumeric = names.indices.map { column in
      rows.dropFirst().contains { column < $0.fields.count && value($0.fields[column]) != nil }
    }
    var records = TrainingRecords()
    for row in rows.dropFirst() {
      guard row.fields.count == names.count else {
        throw CommaSeparatedText.Failure(
          line: row.line, problem: "expected \(names.count) fields, found \(row.fields.count)")
      }
      var record = TrainingRecords.Record(step: try self.step(row.fields[step], named: names[step], line: row.line))
      for column in names.indices where column != step && isNumeric[column] {
        if let value = try value(row.fields[column], of: names[column], line: row.line) {
          record.set(value, for: names[column])
        }
      }
      records.take(record, overwriting: true)
    }
    return records
  }

  /// The names of the columns, and the place of the steps among them.
  private static func names(
    in header: CommaSeparatedText.Row
  ) throws(CommaSeparatedText.Failure) -> (OrderedSet<String>, step: Int) {
    var names: OrderedSet<String> = []
    for name in header.fields.map({ $0.trimmingCharacters(in: .whitespaces) }) {
      guard names.append(name).inserted else {
        throw CommaSeparatedText.Failure(
          line: header.line, problem: "expected different names, found \(FileError.quoted(name)) twice")
      }
    }
    for name in TrainingColumn.stepNames {
      if let step = names.firstIndex(of: name) { return (names, step) }
    }
    throw CommaSeparatedText.Failure(
      line: header.line,
      problem: "expected names of columns with \(TrainingColumn.stepNames.prefix(3).joined(separator: ", ")), found "
        + names.prefix(4).map(FileError.quoted).joined(separator: ", "))
  }
}

// MARK: - Cells

extension TableLog {
  private static func step(_ cell: String, named name: String, line: Int) throws(CommaSeparatedText.Failure) -> Int {
    guard let number = value(cell), let step = Int(exactly: number), step >= 0 else {
      throw CommaSeparatedText.Failure(
        line: line, problem: "expected \(name) to be a whole number, found \(FileError.quoted(cell))")
    }
    return step
  }

  /// The number in a cell of a column of numbers; nil where the cell says nothing.
  private static func value(
    _ cell: String, of name: String, line: Int
  ) throws(CommaSeparatedText.Failure) -> Double? {
    guard let found = number(cell) else { return nil }
    guard let value = found else {
      throw CommaSeparatedText.Failure(
        line: line,
        problem: "expected \(FileError.quoted(name)) to be a number as in other lines, found \(FileError.quoted(cell))")
    }
    return value
  }

  private static func value(_ cell: String) -> Double? { number(cell) ?? nil }

  /// The number in a cell; nil where it says nothing, and nil within where it is text.
  private static func number(_ cell: String) -> Double?? {
    let text = cell.trimmingCharacters(in: .whitespaces)
    let word = text.lowercased()
    if missing.contains(word) { return .none }
    if let value = nonFinite[word] { return .some(value) }
    // `Double` would take hexadecimal digits and names of NaN, too.
    guard text.utf8.allSatisfy({ "0123456789+-.eE".utf8.contains($0) }) else { return .some(nil) }
    return .some(Double(text))
  }
}
