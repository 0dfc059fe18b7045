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
    let exponent = Int(floorLog10(magnitude))
    if exponent < -3 || exponent > 5 {
      let scaled = self / power10(exponent)
      return "\(decimal(scaled, digits: 2))e\(exponent < 0 ? "-" : "+")\(abs(exponent) < 10 ? "0" : "")\(abs(exponent))"
    }
    return decimal(self, digits: max(0, 2 - exponent))
  }
}

private func power10(_ exponent: Int) -> Double { Double("1e\(exponent)")! }

/// ⌊log₁₀ x⌋ for the first three digits of x after rounding, so that 9.996 counts as 10.
private func floorLog10(_ x: Double) -> Int {
  var exponent = 0
  while x * 1.0005 >= power10(exponent + 1) { exponent += 1 }
  while x * 1.0005 < power10(exponent) { exponent -= 1 }
  return exponent
}

/// `value` with a fixed number of digits after the point.
private func decimal(_ value: Double, digits: Int) -> String {
  let scaled = (value.magnitude * power10(digits)).rounded()
  let whole = String(Int(scaled))
  guard digits > 0 else { return (value < 0 ? "-" : "") + whole }
  let padded = String(repeating: "0", count: max(0, digits + 1 - whole.count)) + whole
  return (value < 0 ? "-" : "") + padded.dropLast(digits) + "." + padded.suffix(digits)
}
