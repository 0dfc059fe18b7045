import Foundation

/// The median of some repetitions, and how far apart they were.
struct Spread {
  let median: Double
  let least: Double
  let most: Double

  /// - Parameter values: at least one.
  init(of values: [Double]) {
    let sorted = values.sorted()
    median = (sorted[(sorted.count - 1) / 2] + sorted[sorted.count / 2]) / 2
    (least, most) = (sorted[0], sorted[sorted.count - 1])
  }

  /// "0.241 (0.238–0.252)".
  var text: String { "\(Self.text(median)) (\(Self.text(least))–\(Self.text(most)))" }

  /// A number that somebody has chosen, without digits that say nothing.
  static func plain(_ value: Double) -> String { String(format: "%g", value) }

  /// Three digits that count, without an exponent where the number is of everyday size.
  static func text(_ value: Double) -> String {
    guard value != 0, value.isFinite else { return value == 0 ? "0" : "\(value)" }
    let magnitude = Int(log10(abs(value)).rounded(.down))
    guard (-4..<7).contains(magnitude) else { return String(format: "%.2e", value) }
    return String(format: "%.\(max(0, 2 - magnitude))f", value)
  }
}
