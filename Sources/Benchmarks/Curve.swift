import Foundation
import Reporting
import Weights

/// How time or memory grows with one of the sizes of a work, and how theory has it grow.
struct Curve {
  struct Point {
    var size: Int
    var value: Double
  }

  /// What was run, such as "update".
  var work: String
  /// What was varied, such as "rank"; everything else stayed.
  var varied: String
  var unit: Figure.Unit
  var points: [Point]
  /// The exponent p of size^p where the size is large.
  var theory: Double

  /// The exponent that fits the points best, and its standard error: least squares of the logarithms.
  var exponent: (value: Double, error: Double) {
    let (x, y) = (points.map { log(Double($0.size)) }, points.map { log($0.value) })
    let n = Double(points.count)
    let (meanX, meanY) = (x.reduce(0, +) / n, y.reduce(0, +) / n)
    let width = x.reduce(0) { $0 + ($1 - meanX) * ($1 - meanX) }
    let slope = zip(x, y).reduce(0) { $0 + ($1.0 - meanX) * ($1.1 - meanY) } / width
    let rest = zip(x, y).reduce(0) { sum, point in
      let residual = point.1 - meanY - slope * (point.0 - meanX)
      return sum + residual * residual
    }
    return (slope, points.count > 2 ? (rest / (n - 2) / width).squareRoot() : .nan)
  }

  /// The exponent between the two largest sizes, where other terms matter least.
  var lastExponent: Double {
    let (before, last) = (points[points.count - 2], points[points.count - 1])
    return log(last.value / before.value) / log(Double(last.size) / Double(before.size))
  }

  static func table(_ curves: [Curve]) -> String {
    var table = TextTable(columns: [
      ("work", .left), ("against", .left), ("of", .left), ("size: measured", .left), ("exponent", .left),
      ("at the end", .right), ("theory", .right),
    ])
    for curve in curves {
      let points = curve.points.map { "\($0.size): \(Spread.text($0.value))" }.joined(separator: "  ")
      let exponent = curve.exponent
      table.add([
        curve.unit == .seconds ? "\(curve.work), time" : "\(curve.work), memory", curve.varied, curve.unit.rawValue,
        points, String(format: "%.2f ± %.2f", exponent.value, exponent.error),
        String(format: "%.2f", curve.lastExponent), Spread.plain(curve.theory),
      ])
    }
    return table.text
  }
}

extension Curve {
  var json: JSONValue {
    [
      "work": .string(work), "varied": .string(varied), "unit": .string(unit.rawValue),
      "points": .array(points.map { ["size": .integer($0.size), "value": .number($0.value)] }),
      "theory": .number(theory), "exponent": .number(exponent.value),
      "last_exponent": .number(lastExponent), "error": exponent.error.isFinite ? .number(exponent.error) : .null,
    ]
  }

  init?(json: JSONValue) {
    guard let work = json["work"]?.string, let varied = json["varied"]?.string,
      let unit = json["unit"]?.string.flatMap(Figure.Unit.init(rawValue:)), let rows = json["points"]?.array,
      let theory = json["theory"]?.double
    else { return nil }
    let points = rows.compactMap { row -> Point? in
      guard let size = row["size"]?.int, let value = row["value"]?.double else { return nil }
      return Point(size: size, value: value)
    }
    guard points.count == rows.count, points.count > 1 else { return nil }
    self.init(work: work, varied: varied, unit: unit, points: points, theory: theory)
  }
}
