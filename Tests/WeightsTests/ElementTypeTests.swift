import Testing
import Weights

/// The value of a 16-bit pattern, from the definition of the format.
private func definedValue(_ bits: UInt16, fractionBits: Int, bias: Int) -> Double {
  let sign: FloatingPointSign = bits & 0x8000 == 0 ? .plus : .minus
  let exponent = Int(bits & 0x7FFF) >> fractionBits
  let fraction = Int(bits) & (1 << fractionBits - 1)
  if exponent == 0x7FFF >> fractionBits {
    return fraction == 0 ? Double(signOf: sign == .plus ? 1 : -1, magnitudeOf: .infinity) : .nan
  }
  let significand = Double(exponent == 0 ? fraction : fraction + 1 << fractionBits)
  return Double(sign: sign, exponent: max(exponent, 1) - bias - fractionBits, significand: significand)
}

private func decode<Scalar: WeightScalar>(_ bits: [UInt16], _ format: FloatFormat, as type: Scalar.Type) -> [Scalar] {
  var values = [Scalar](repeating: 0, count: bits.count)
  bits.map(\.littleEndian).withUnsafeBytes { bytes in
    values.withUnsafeMutableBufferPointer { Scalar.decode(bytes, of: format, into: $0) }
  }
  return values
}

private func encode<Scalar: WeightScalar>(_ values: [Scalar], _ format: FloatFormat) -> [UInt16] {
  var bits = [UInt16](repeating: 0, count: values.count)
  bits.withUnsafeMutableBytes { bytes in
    values.withUnsafeBufferPointer { Scalar.encode($0, as: format, into: bytes) }
  }
  return bits.map(UInt16.init(littleEndian:))
}

/// The two 16-bit formats with their definitions.
private let narrowFormats: [(format: FloatFormat, fractionBits: Int, bias: Int)] = [
  (.float16, 10, 15), (.bfloat16, 7, 127),
]

@Suite struct ElementTypeTests {
  @Test func widthsAndReadability() {
    let widths = [
      "F64": 64, "F32": 32, "F16": 16, "BF16": 16, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "F6_E2M3": 6, "F6_E3M2": 6,
      "F4": 4, "I64": 64, "I32": 32, "I16": 16, "I8": 8, "U64": 64, "U32": 32, "U16": 16, "U8": 8, "BOOL": 8, "C64": 64,
    ]
    for (name, bits) in widths {
      let type = ElementType(rawValue: name)
      #expect(type.bits == bits)
      #expect((type.format != nil) == ["F64", "F32", "F16", "BF16"].contains(name))
    }
    let unknown = ElementType(rawValue: "Q4_K")
    #expect(unknown.bits == nil && unknown.format == nil && unknown.description == "Q4_K")
  }

  @Test func formatConstants() {
    #expect(FloatFormat.allCases.map(\.bytes) == [8, 4, 2, 2])
    #expect(FloatFormat.allCases.map(\.unitRoundoff) == [0x1p-53, 0x1p-24, 0x1p-11, 0x1p-8])
    for format in FloatFormat.allCases {
      // u is where 1 + x first rounds away from 1, with the tie itself going to the even 1.
      #expect(format.rounded(1 + format.unitRoundoff) == 1)
      let next = 1 + 2 * format.unitRoundoff
      #expect(format.rounded((1 + format.unitRoundoff).nextUp) == next || format == .float64)
      #expect(format.rounded(next) == next)
    }
  }
}

@Suite struct ConversionTests {
  @Test(arguments: narrowFormats)
  func everyPatternIsDecodedByDefinition(format: FloatFormat, fractionBits: Int, bias: Int) {
    let patterns = (0...UInt16.max).map { $0 }
    let doubles = decode(patterns, format, as: Double.self)
    let floats = decode(patterns, format, as: Float.self)
    for (bits, (double, float)) in zip(patterns, zip(doubles, floats)) {
      let expected = definedValue(bits, fractionBits: fractionBits, bias: bias)
      #expect(expected.isNaN ? double.isNaN : double == expected && double.sign == expected.sign)
      #expect(expected.isNaN ? float.isNaN : Double(float) == expected && float.sign == expected.sign)
    }
  }

  @Test(arguments: narrowFormats)
  func everyPatternIsEncodedAsItself(format: FloatFormat, fractionBits: Int, bias: Int) {
    let patterns = (0...UInt16.max).map { $0 }
    // A signalling NaN comes back quiet: its highest fraction bit is set.
    let expected = patterns.map {
      definedValue($0, fractionBits: fractionBits, bias: bias).isNaN ? $0 | 1 << (fractionBits - 1) : $0
    }
    #expect(encode(decode(patterns, format, as: Double.self), format) == expected)
    #expect(encode(decode(patterns, format, as: Float.self), format) == expected)
  }

  @Test(arguments: narrowFormats)
  func tiesGoToTheEvenNeighbour(format: FloatFormat, fractionBits: Int, bias: Int) {
    let infinity = (UInt16(0x7FFF) >> fractionBits) << fractionBits
    let spacing = Double(sign: .plus, exponent: 1 - bias - fractionBits, significand: 1)
    for bits in 0..<infinity {
      let value = definedValue(bits, fractionBits: fractionBits, bias: bias)
      // Past the largest value the next step up counts as if the exponent went on; it is written as an infinity.
      let step = max(value.binade * Double(sign: .plus, exponent: -fractionBits, significand: 1), spacing)
      let middle = value + step / 2
      let even = bits.isMultiple(of: 2) ? bits : bits + 1
      #expect(encode([middle, middle.nextDown, middle.nextUp], format) == [even, bits, bits + 1])
      #expect(encode([-middle], format) == [even | 0x8000])
    }
  }

  @Test func roundsOnceNotTwice() {
    // Just above a tie of the narrow format, by less than Float resolves: through Float it becomes the tie itself.
    let value = 1 + 0x1p-11 + 0x1p-40
    #expect(Double(Float(value)) == 1 + 0x1p-11)
    #expect(FloatFormat.float16.rounded(value) == 1 + 0x1p-10)
    #expect(encode([value], .float16) == [0x3C01])
    #expect(FloatFormat.bfloat16.rounded(1 + 0x1p-8 + 0x1p-40) == 1 + 0x1p-7)
    #expect(encode([1 + 0x1p-8 + 0x1p-40], .bfloat16) == [0x3F81])
  }

  @Test func overflowGivesInfinity() {
    #expect(FloatFormat.float16.rounded(65519.999) == 65504)
    #expect(FloatFormat.float16.rounded(65520) == .infinity)
    #expect(FloatFormat.bfloat16.rounded((0x1.FFp127).nextDown) == 0x1.FEp127)
    #expect(FloatFormat.bfloat16.rounded(-0x1.FFp127) == -.infinity)
    #expect(FloatFormat.float32.rounded(3.5e38) == .infinity)
    for format in FloatFormat.allCases {
      #expect(format.rounded(-.infinity) == -.infinity)
      #expect(format.rounded(.nan).isNaN)
      #expect(format.rounded(.greatestFiniteMagnitude).isInfinite == (format != .float64))
      #expect(format.rounded(-0.0).sign == .minus)
      #expect(format.rounded(.leastNonzeroMagnitude) == (format == .float64 ? .leastNonzeroMagnitude : 0))
    }
  }

  @Test(arguments: narrowFormats)
  func roundingAgreesWithEncoding(format: FloatFormat, fractionBits: Int, bias: Int) {
    var generator = SystemRandomNumberGenerator()
    for _ in 0..<50_000 {
      // All exponents from far below the smallest to far above the largest number of the format.
      let value = Double(
        sign: Bool.random() ? .plus : .minus, exponent: .random(in: -160...140, using: &generator),
        significand: .random(in: 1..<2, using: &generator))
      let decoded = decode(encode([value], format), format, as: Double.self)[0]
      #expect(decoded == format.rounded(value))
    }
  }

  @Test func unalignedBytes() {
    let values: [Double] = [1.5, -2.25, 0.125]
    for format in FloatFormat.allCases {
      var bytes = [UInt8](repeating: 0, count: 1 + 3 * format.bytes)
      bytes.withUnsafeMutableBytes { buffer in
        let target = UnsafeMutableRawBufferPointer(rebasing: buffer[1...])
        values.withUnsafeBufferPointer { Double.encode($0, as: format, into: target) }
      }
      var read = [Float](repeating: 0, count: 3)
      bytes.withUnsafeBytes { buffer in
        read.withUnsafeMutableBufferPointer {
          Float.decode(UnsafeRawBufferPointer(rebasing: buffer[1...]), of: format, into: $0)
        }
      }
      #expect(read == [1.5, -2.25, 0.125])
    }
  }
}
