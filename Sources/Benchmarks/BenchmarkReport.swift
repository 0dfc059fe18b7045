import Foundation
import Reporting
import Weights

/// Everything one run has to say. Figures of two runs are never put beside each other: the load between them is another.
struct BenchmarkReport {
  /// Tells runs apart.
  let run: String
  let command: String
  private(set) var machine: Machine
  var figures: [Figure] = []
  var curves: [Curve] = []
  /// What was not measured, and why.
  var omissions: [String] = []

  init(command: String) {
    let random = UInt32.random(in: 0...UInt32.max)
    run = ISO8601DateFormatter().string(from: Date()) + String(format: "-%08x", random)
    self.command = command
    machine = Machine.current()
  }

  /// Adds what is known at the end alone.
  mutating func finish(packages: String? = nil) {
    machine.facts.append(("load at the end", Machine.load))
    if let packages { machine.facts.append(("peers", packages)) }
  }

  var text: String {
    let parts = [head, figures.isEmpty ? nil : table, notes, curves.isEmpty ? nil : Curve.table(curves)]
    return (parts.compactMap { $0 } + omissions).joined(separator: "\n\n")
  }

  private var head: String {
    var table = TextTable(columns: [("run", .left), (run + ", " + command, .left)])
    for fact in machine.facts { table.add([fact.name, fact.value]) }
    return table.text
  }

  private var table: String {
    var table = TextTable(columns: [
      ("figure", .left), ("here", .left), ("beside it", .left), ("here ÷ beside it", .left), ("target", .left),
      ("clock", .left), ("threads", .right), ("size, depth, precision", .left),
    ])
    for figure in figures { table.add(figure.cells) }
    return table.text
  }

  private var notes: String? {
    guard !figures.isEmpty else { return nil }
    return figures.map { figure in
      let peer = figure.peer.map { "\n  beside it: \($0.work)\($0.said.isEmpty ? "" : ": " + $0.said)" } ?? ""
      return "\(figure.name)\n  here: \(figure.own.work): \(figure.own.said)\(peer)"
    }.joined(separator: "\n")
  }
}

extension Figure {
  fileprivate var cells: [String] {
    let ratio = ratio.map { ratio in
      unit == .seconds
        ? "\(ratio.text), \(Spread.text(1 / ratio.median)) times as fast" : Spread.text(ratio.median)
    }
    let common = [conditions.size, conditions.depth, conditions.precision].filter { !$0.isEmpty }
    return [
      name, cell(own), peer.map(cell) ?? "", ratio ?? "", verdict, conditions.clock?.rawValue ?? "",
      String(conditions.threads), common.joined(separator: ", "),
    ]
  }

  private func cell(_ side: Side) -> String {
    let mark = side.factor == 1 ? "" : ", extrapolated ×\(Spread.plain(side.factor))"
    let numbers = side.values.count == 1 ? Spread.text(side.values[0]) : side.spread.text
    return "\(numbers) \(unit.rawValue)\(mark)"
  }

  private var verdict: String {
    guard let target, let isMet else { return "" }
    let text =
      switch target {
      case .atMost(let limit): "≤ \(Spread.plain(limit)) \(unit.rawValue)"
      case .timesPeer(let limit): "≤ \(Spread.plain(limit))×"
      case .timesAsFast(let limit): "\(Spread.plain(limit)) times as fast"
      }
    return text + (isMet ? ": met" : ": MISSED")
  }
}

// MARK: - JSON

extension BenchmarkReport {
  var json: JSONValue {
    [
      "format": .integer(Self.format), "run": .string(run), "command": .string(command), "machine": machine.json,
      "figures": .array(figures.map(\.json)), "curves": .array(curves.map(\.json)),
      "omissions": .array(omissions.map(JSONValue.string)),
    ]
  }

  private static let format = 1

  /// Reads what `--json` wrote.
  ///
  /// - Throws: `FileError`.
  init(contentsOf path: String) throws(FileError) {
    let json = try JSONValue(contentsOf: path)
    guard json["format"]?.int == Self.format, let run = json["run"]?.string, let command = json["command"]?.string,
      let machine = json["machine"].flatMap(Machine.init(json:)), let figures = json["figures"]?.array,
      let curves = json["curves"]?.array
    else {
      throw FileError(
        .badContent, path: path, "expected a report of format \(Self.format), found another JSON document",
        remedy: "Pass a file that --json of this program has written")
    }
    (self.run, self.command, self.machine) = (run, command, machine)
    self.figures = figures.compactMap(Figure.init(json:))
    self.curves = curves.compactMap(Curve.init(json:))
    omissions = json["omissions"]?.array?.compactMap(\.string) ?? []
    guard self.figures.count == figures.count, self.curves.count == curves.count else {
      throw FileError(
        .badContent, path: path, object: "figures",
        "expected figures and curves of format \(Self.format), found others",
        remedy: "Measure again with this version of the program")
    }
  }
}
