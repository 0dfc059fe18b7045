/// A table for the terminal: columns padded to their widest cell, numbers to the right.
package struct TextTable: Sendable {
  package enum Alignment: Sendable { case left, right }

  private var columns: [(title: String, alignment: Alignment)]
  private var rows: [[String]] = []
  /// Headings above runs of columns, from the left.
  private let groups: [(title: String, columns: Int)]

  /// - Parameter groups: headings above the columns, each with the number of columns that it spans; none where empty.
  package init(columns: [(title: String, alignment: Alignment)], groups: [(title: String, columns: Int)] = []) {
    precondition(groups.isEmpty || groups.reduce(0) { $0 + $1.columns } == columns.count, "groups span all columns")
    self.columns = columns
    self.groups = groups
  }

  /// Adds a row with a cell for each column.
  package mutating func add(_ cells: [String]) {
    precondition(cells.count == columns.count, "a row has a cell for each column")
    rows.append(cells)
  }

  /// The lines, without trailing blanks.
  package var text: String {
    let widths = widths
    let head = groups.isEmpty ? [] : [heading(widths)]
    let body = ([columns.map(\.title)] + rows).map { cells in
      let padded = cells.enumerated().map { column, cell in
        let blanks = String(repeating: " ", count: widths[column] - cell.count)
        return columns[column].alignment == .left ? cell + blanks : blanks + cell
      }
      return Self.withoutTrailingBlanks(padded.joined(separator: "  "))
    }
    return (head + body).joined(separator: "\n")
  }

  /// The width of each column; the first of a group makes room for its heading.
  private var widths: [Int] {
    var widths = columns.indices.map { column in
      ([columns[column].title] + rows.map { $0[column] }).map(\.count).max()!
    }
    var first = 0
    for group in groups {
      let span = widths[first..<first + group.columns].reduce(0, +) + 2 * (group.columns - 1)
      widths[first] += max(0, group.title.count - span)
      first += group.columns
    }
    return widths
  }

  /// Every heading in the middle of its columns.
  private func heading(_ widths: [Int]) -> String {
    var first = 0
    let cells = groups.map { group in
      let span = widths[first..<first + group.columns].reduce(0, +) + 2 * (group.columns - 1)
      first += group.columns
      let left = (span - group.title.count) / 2
      return String(repeating: " ", count: left) + group.title
        + String(repeating: " ", count: span - group.title.count - left)
    }
    return Self.withoutTrailingBlanks(cells.joined(separator: "  "))
  }

  private static func withoutTrailingBlanks(_ line: String) -> String {
    String(line.reversed().drop(while: { $0 == " " }).reversed())
  }
}
