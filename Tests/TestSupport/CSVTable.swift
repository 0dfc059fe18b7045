import Foundation

/// A CSV file whose cells hold no quotes, as the reference tables are.
package struct CSVTable: Sendable {
  package let columns: [String]
  /// Cells by column name; an empty cell is "missing".
  package let rows: [[String: String]]

  package init(path: String) throws {
    let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
    let columns = lines[0].split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    self.columns = columns
    rows = lines.dropFirst().map { line in
      let cells = line.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
      return Dictionary(uniqueKeysWithValues: zip(columns, cells))
    }
  }
}
