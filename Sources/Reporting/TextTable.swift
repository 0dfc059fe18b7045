import Foundation

/// A table for the terminal: columns padded to their widest cell, numbers to the right.
package struct TextTable: Sendable {
  package enum Alignment: Sendable { case left, right }

  private var columns: [(title: String, alignment: Alignment)]
  private var rows: [[String]] = []

  package init(columns: [(title: String, alignment: Alignment)]) { self.columns = columns }

  /// Adds a row with a cell for each column.
  package mutating func add(_ cells: [String]) {
    precondition(cells.count == columns.count, "a row has a cell for each column")
    rows.append(cells)
  }

  /// The lines, without trailing blanks.
  package var text: String {
    let widths = columns.indices.map { column in
      ([columns[column].title] + rows.map { $0[column] }).map(\.count).max()!
    }
    return ([columns.map(\.title)] + rows).map { cells in
      let padded = cells.enumerated().map { column, cell in
        let blanks = String(repeating: " ", count: widths[column] - cell.count)
        return columns[column].alignment == .left ? cell + blanks : blanks + cell
      }
      let line = padded.joined(separator: "  ")
      return String(line.reversed().drop(while: { $0 == " " }).reversed())
    }.joined(separator: "\n")
  }
}

extension Double {
  /// The value to three significant digits, for the eye: 0.0123, 1.53e-05, 12.3.
  package var brief: String {
    guard isFinite else { return "–" }
    guard self != 0 else { return "0" }
    let scientific = String(format: "%.2e", self)
    guard let exponent = scientific.split(separator: "e").last.flatMap({ Int($0) }), (-3...5).contains(exponent) else {
      return scientific
    }
    return String(format: "%.*f", Swift.max(0, 2 - exponent), self)
  }
}
