import RunStore
import Weights

/// CSV by RFC 4180, one file a table: UTF-8, header line, line feeds, an empty cell for "missing", numbers in the shortest form
/// that reads back to the same value.
enum CSVExporter: Exporter {
  static func export(
    _ analysis: Analysis, training: TrainingRecords?, to folder: String
  ) throws(FileError) -> [String] {
    var paths: [String] = []
    for table in AnalysisTable.all(of: analysis, training: training) {
      let path = "\(folder)/\(table.name).csv"
      try PendingFile.write(text(of: table), to: path)
      paths.append(path)
    }
    return paths
  }

  static func text(of table: AnalysisTable) -> String {
    var text = table.columns.joined(separator: ",") + "\n"
    for row in table.rows {
      text += row.map(cell).joined(separator: ",")
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
