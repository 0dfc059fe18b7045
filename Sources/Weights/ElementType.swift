/// The type of a tensor's elements, by its safetensors name. A name that this program does not know is kept, so that a
/// file with one exotic tensor stays readable.
package struct ElementType: RawRepresentable, Hashable, Sendable {
  /// The name in a safetensors header, such as `BF16`.
  package let rawValue: String

  /// Takes any name; `bits` and `format` tell whether it is a known one.
  package init(rawValue: String) { self.rawValue = rawValue }

  /// The type that a floating-point format is stored as.
  package init(_ format: FloatFormat) { rawValue = format.rawValue }

  /// The width of one element in bits; nil for an unknown type. Elements of 4 and 6 bits are packed.
  package var bits: Int? { Self.widths[rawValue] }

  /// How its values become numbers; nil for the types that cannot be read.
  package var format: FloatFormat? { FloatFormat(rawValue: rawValue) }

  private static let widths = [
    "F64": 64, "F32": 32, "F16": 16, "BF16": 16, "C64": 64,
    "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8,
    "F6_E2M3": 6, "F6_E3M2": 6, "F4": 4,
    "I64": 64, "I32": 32, "I16": 16, "I8": 8, "U64": 64, "U32": 32, "U16": 16, "U8": 8, "BOOL": 8,
  ]
}

extension ElementType: CustomStringConvertible {
  package var description: String { rawValue }
}

/// The floating-point formats whose values can be read and written.
package enum FloatFormat: String, CaseIterable, Sendable {
  case float64 = "F64"
  case float32 = "F32"
  case float16 = "F16"
  case bfloat16 = "BF16"

  /// The size of one element.
  package var bytes: Int {
    switch self {
    case .float64: 8
    case .float32: 4
    case .float16, .bfloat16: 2
    }
  }

  /// The largest relative error of rounding to nearest within the normal range, u = 2⁻ᵖ for p significant bits.
  package var unitRoundoff: Double {
    switch self {
    case .float64: 0x1p-53
    case .float32: 0x1p-24
    case .float16: 0x1p-11
    case .bfloat16: 0x1p-8
    }
  }

  /// The value of the format nearest to `value`, ties to even, rounded once; overflow gives an infinity, NaN stays NaN.
  package func rounded(_ value: Double) -> Double {
    switch self {
    case .float64: value
    case .float32: Double(Float(value))
    case .float16: NarrowFormat.float16.rounded(value)
    case .bfloat16: NarrowFormat.bfloat16.rounded(value)
    }
  }
}

/// A format with fewer significant bits than `Float`.
///
/// Rounding goes from `Double` in one step: a value that passed through `Float` first could be rounded twice, onto the
/// wrong side of a tie.
struct NarrowFormat {
  let fractionBits: UInt64
  let minimumExponent: UInt64
  let greatestFinite: Double

  static let float16 = NarrowFormat(fractionBits: 10, minimumExponent: 1023 - 14, greatestFinite: 65504)
  static let bfloat16 = NarrowFormat(fractionBits: 7, minimumExponent: 1023 - 126, greatestFinite: 0x1.FEp127)

  /// Adding and subtracting the power of two whose last place is the format's spacing at `value` rounds to that spacing,
  /// in the processor's own rounding to nearest even, and without a branch.
  @inline(__always)
  func rounded(_ value: Double) -> Double {
    let magnitude = value.magnitude
    let overflow = greatestFinite.bitPattern >> 52 + 1
    let exponent = min(max(magnitude.bitPattern >> 52, minimumExponent), overflow)
    let anchor = Double(bitPattern: (exponent + 52 - fractionBits) << 52)
    let nearest = (magnitude + anchor) - anchor
    let bounded = nearest > greatestFinite ? Double.infinity : nearest
    return Double(signOf: value, magnitudeOf: bounded)
  }
}

/// The bits of the two 16-bit formats. Multiplying by 2^±112 moves between the exponent biases of `Float` and of
/// float16 exactly, subnormal numbers included, and vectorises on every processor; `Float16` does not.
enum HalfBits {
  @inline(__always)
  static func value(float16 bits: UInt16) -> Float {
    let magnitude = UInt32(bits & 0x7FFF) << 13
    let scaled = Float(bitPattern: magnitude) * 0x1p112
    let isFinite = magnitude < 0x7C00 << 13
    let sign = UInt32(bits & 0x8000) << 16
    return Float(bitPattern: (isFinite ? scaled.bitPattern : magnitude | 0x7F80_0000) | sign)
  }

  @inline(__always)
  static func value(bfloat16 bits: UInt16) -> Float {
    Float(bitPattern: UInt32(bits) << 16)
  }

  @inline(__always)
  static func float16(_ value: Double) -> UInt16 {
    let scaled = Float(NarrowFormat.float16.rounded(value)) * 0x1p-112
    let bits = scaled.bitPattern
    let magnitude = (bits & 0x7FFF_FFFF) >> 13
    let isFinite = bits & 0x7F80_0000 != 0x7F80_0000
    return UInt16(truncatingIfNeeded: (isFinite ? magnitude : 0x7C00 | magnitude & 0x3FF) | (bits & 0x8000_0000) >> 16)
  }

  @inline(__always)
  static func bfloat16(_ value: Double) -> UInt16 {
    UInt16(truncatingIfNeeded: Float(NarrowFormat.bfloat16.rounded(value)).bitPattern >> 16)
  }
}
