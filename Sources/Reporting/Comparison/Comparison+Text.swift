import Diagnosis
import Spectra

extension Comparison {
  /// The widest line of the tables.
  private static let width = 110

  /// At a few of the common steps, the first and the last among them: a line a quantity and step, with the ratio to the first run.
  package var stepTable: String {
    let points = steps.points
    guard !points.isEmpty else { return "at equal steps: none" }
    let shown = Self.spread(points.count, count)
    let quantities = shownQuantities.filter { $0 != .step || steps.isNearestBelow }
    return "at equal steps\n" + tables("step", points, shown, quantities) { String(Int($0)) }
  }

  /// At equal norms, likewise.
  package var normTable: String {
    let points = norms.points
    guard !points.isEmpty else { return "at equal ‖ΔW‖: none, see the notes" }
    let quantities = shownQuantities.filter { $0 != .relativeNorm }
    let base = baseNorm
    return "at equal ‖ΔW‖\(base == nil ? "_F" : "/‖W₀‖")\n"
      + tables(base == nil ? "‖ΔW‖_F" : "‖ΔW‖/‖W₀‖", points, Array(points.indices), quantities) { norm in
        (norm / (base ?? 1)).brief
      }
  }

  /// What rows, ratios and signs are, then the notes and the sentences, in lines of the tables' width.
  package var legendText: String { legend.map { Self.wrapped($0, hanging: 11) }.joined(separator: "\n") }

  package var noteText: String { notes.map { Self.wrapped("note       " + $0, hanging: 11) }.joined(separator: "\n") }

  package var conclusionText: String {
    conclusion.map { Self.wrapped($0, hanging: $0.hasPrefix(" ") ? 4 : 0) }.joined(separator: "\n")
  }

  /// A line broken at blanks where it is wider than the tables, the following ones behind so many blanks.
  static func wrapped(_ line: String, hanging: Int) -> String {
    var lines: [String] = []
    for word in line.split(separator: " ", omittingEmptySubsequences: false) {
      if let last = lines.last, last.count + 1 + word.count <= width {
        lines[lines.count - 1] = last + " " + word
      } else {
        lines.append((lines.isEmpty ? "" : String(repeating: " ", count: hanging)) + word)
      }
    }
    return lines.joined(separator: "\n")
  }

  static func list(_ parts: [String]) -> String {
    guard parts.count > 1 else { return parts.first ?? "" }
    return parts.dropLast().joined(separator: ", ") + " and " + parts.last!
  }

  // MARK: Tables

  /// Tables beside one another would be too wide: each has the first run, and as many others as there is room for.
  private func tables(
    _ head: String, _ points: [AlignedPoint], _ shown: [Int], _ quantities: [ComparedQuantity],
    label: (Double) -> String
  ) -> String {
    var texts: [String] = []
    var rest = Array(runs.indices.dropFirst())[...]
    while !rest.isEmpty {
      var others = rest
      var text = table(head, points, shown, quantities, others, label)
      while others.count > 1, Self.isTooWide(text) {
        others = others.dropLast()
        text = table(head, points, shown, quantities, others, label)
      }
      texts.append(text)
      rest = rest.dropFirst(others.count)
    }
    return texts.joined(separator: "\n\n")
  }

  private static func isTooWide(_ text: String) -> Bool {
    text.split(separator: "\n").contains { $0.count > width }
  }

  private func table(
    _ head: String, _ points: [AlignedPoint], _ shown: [Int], _ quantities: [ComparedQuantity],
    _ others: ArraySlice<Int>, _ label: (Double) -> String
  ) -> String {
    var table = TextTable(
      columns: [("", .left), (head, .right), (shownName(0), .right)]
        + others.flatMap { [(shownName($0), .right), ("ratio ", .right)] })
    for quantity in quantities {
      for (line, index) in shown.enumerated() {
        let point = points[index]
        table.add(
          [line == 0 ? quantity.title! : "", label(point.position), value(quantity, 0, point)]
            + others.flatMap { [value(quantity, $0, point), difference(quantity, $0, index, points)] })
      }
    }
    return table.text
  }

  /// Of a long name the end, which tells runs of one folder apart.
  private func shownName(_ run: Int) -> String {
    let name = runs[run].name
    return name.count > 20 ? "…" + name.suffix(19) : name
  }

  private func value(_ quantity: ComparedQuantity, _ run: Int, _ point: AlignedPoint) -> String {
    guard let value = point.values[run]?[quantity] else { return "–" }
    if quantity == .step { return value.steps }
    return value.brief
  }

  private func difference(_ quantity: ComparedQuantity, _ run: Int, _ index: Int, _ points: [AlignedPoint]) -> String {
    let ratio = ratio(quantity, run: run, at: points[index])?.brief
    let sign = mark(quantity, run: run, at: index, in: points)?.sign ?? " "
    return (ratio ?? "–") + sign
  }

  /// Places of so many of a number, evenly spread, the first and the last among them.
  package static func spread(_ total: Int, _ count: Int) -> [Int] {
    guard total > count else { return Array(0..<total) }
    guard count > 1 else { return [total - 1] }
    return (0..<count).map { ($0 * (total - 1) + (count - 1) / 2) / (count - 1) }
  }
}
