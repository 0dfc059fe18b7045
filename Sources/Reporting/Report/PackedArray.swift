import Foundation
import Weights

/// Numbers for a picture, as 16-bit steps between their smallest and their largest: an eighth of the text that they would be in full.
///
/// A step is the 65,533rd part of the range, and of its logarithm where the scale is logarithmic, so that nothing is off by more than half of
/// one. Exact numbers are in `export`.
package struct PackedArray: Equatable, Sendable {
  package enum Scale: String, Sendable {
    case linear, log
  }

  package let scale: Scale
  /// The smallest number, of a logarithmic scale the smallest that is not zero; 0 where there is none.
  package let low: Double
  package let high: Double
  /// By row; see `code(of:)`.
  package let codes: [UInt16]

  /// Stands for a number that is undefined or was not computed.
  package static let missing = UInt16.max
  /// Stands for zero on a logarithmic scale, where it has no place.
  package static let zero = UInt16(0)
  private static let first = 1.0
  private static let last = Double(UInt16.max - 1)

  /// - Parameter values: NaN and infinities are missing; on a logarithmic scale negative ones are, too.
  package init(_ values: [Double], scale: Scale) {
    let shown = values.filter { $0.isFinite && (scale == .linear || $0 > 0) }
    (self.scale, low, high) = (scale, shown.min() ?? 0, shown.max() ?? 0)
    let (low, high) = (low, high)
    codes = values.map { Self.code(of: $0, scale, low, high) }
  }

  private static func code(of value: Double, _ scale: Scale, _ low: Double, _ high: Double) -> UInt16 {
    guard value.isFinite else { return missing }
    if scale == .log {
      if value == 0 { return zero }
      guard value > 0 else { return missing }
    }
    guard high > low else { return UInt16(first) }
    let share = scale == .log ? Foundation.log(value / low) / Foundation.log(high / low) : (value - low) / (high - low)
    return UInt16((first + min(1, max(0, share)) * (last - first)).rounded())
  }

  /// The number that a code stands for, as the page computes it; nil for a missing one.
  package func value(at index: Int) -> Double? {
    let code = codes[index]
    if code == Self.missing { return nil }
    if scale == .log, code == Self.zero { return 0 }
    let share = (Double(code) - Self.first) / (Self.last - Self.first)
    return scale == .log ? low * pow(high / low, share) : low + share * (high - low)
  }

  /// True where nothing can be shown.
  package var isEmpty: Bool { codes.allSatisfy { $0 == Self.missing } }

  /// The codes in Base64, low byte first.
  package var base64: String {
    var bytes = Data(capacity: 2 * codes.count)
    for code in codes { bytes.append(contentsOf: [UInt8(truncatingIfNeeded: code), UInt8(code >> 8)]) }
    return bytes.base64EncodedString()
  }

  package var json: JSONValue {
    ["scale": .string(scale.rawValue), "low": .number(low), "high": .number(high), "data": .string(base64)]
  }
}
