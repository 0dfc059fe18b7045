import RunStore
import Weights

/// CSV by RFC 4180, one file a table: UTF-8, header line, line feeds, an empty cell for "missing", numbers in the shortest form
/// that reads back to the same value.
enum CSVExporter: Exporter {
  /// How many rows are made to text at a time, so that a long table is never in memory as text.
  private static let chunkLength = 10_000

  static func export(
    _ analysis: Analysis, training: TrainingRecords?, to folder: String
  ) throws(FileError) -> [String] {
    var paths: [String] = []
    for table in AnalysisTable.all(of: analysis, training: training) {
      let path = "\(folder)/\(table.name).csv"
      var file = PendingFile(for: path)
      try file.write(chunks(of: table).lazy.map { [UInt8]($0.utf8) })
      try file.commit()
      paths.append(path)
    }
    return paths
  }

  static func text(of table: AnalysisTable) -> String { chunks(of: table).joined() }

  /// The header, then some rows at a time.
  private static func chunks(of table: AnalysisTable) -> some Sequence<String> {
    let header = table.columns.map { quoted($0.name) }.joined(separator: ",") + "\n"
    let starts = [-1] + stride(from: 0, to: table.count, by: chunkLength)
    return starts.lazy.map { start in
      start < 0 ? header : rows(start..<min(start + chunkLength, table.count), of: table)
    }
  }

  private static func rows(_ range: Range<Int>, of table: AnalysisTable) -> String {
    var text = ""
    for row in range {
      for (index, column) in table.columns.enumerated() {
        if index > 0 { text += "," }
        text += cell(column[row])
      }
      text += "\n"
    }
    return text
  }

  private static func cell(_ value: JSONValue) -> String {
    switch value {
    case .null: ""
    case .string(let text): quoted(text)
    default: value.text()
    }
  }

  private static func quoted(_ text: String) -> String {
    // By scalars: Swift takes "\r\n", and a comma with an accent, for one character that is neither of its parts.
    let special: Set<Unicode.Scalar> = ["\"", ",", "\r", "\n"]
    guard text.unicodeScalars.contains(where: special.contains) else { return text }
    var quoted = "\"".unicodeScalars
    for scalar in text.unicodeScalars { quoted.append(contentsOf: scalar == "\"" ? [scalar, scalar] : [scalar]) }
    return String(quoted) + "\""
  }
}
