import Foundation

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
