internal import CKernels

/// The types that tensors are read into and written from: `Float` and `Double`.
package protocol WeightScalar: BinaryFloatingPoint, Sendable {
  /// The stored format with the same bits as this type.
  static var format: FloatFormat { get }

  /// Converts stored little-endian elements; exact, except for `F64` read as `Float`, which is rounded to nearest and
  /// may overflow to an infinity. `bytes` needs no alignment and holds exactly `values.count` elements.
  static func decode(
    _ bytes: UnsafeRawBufferPointer, of format: FloatFormat, into values: UnsafeMutableBufferPointer<Self>)

  /// Converts to stored little-endian elements, rounded once to nearest, ties to even, overflowing to infinities.
  /// `bytes` needs no alignment and has room for exactly `values.count` elements.
  static func encode(
    _ values: UnsafeBufferPointer<Self>, as format: FloatFormat, into bytes: UnsafeMutableRawBufferPointer)

  /// How many values are NaN or infinite. A requirement, because a loop in generic code would not be specialised for
  /// callers in other modules.
  static func countNonFinite(_ values: UnsafeBufferPointer<Self>) -> Int
}

extension Double: WeightScalar {
  package static var format: FloatFormat { .float64 }

  package static func countNonFinite(_ values: UnsafeBufferPointer<Double>) -> Int {
    count_non_finite_f64(values.baseAddress, values.count)
  }

  package static func decode(
    _ bytes: UnsafeRawBufferPointer, of format: FloatFormat, into values: UnsafeMutableBufferPointer<Double>
  ) {
    switch format {
    case .float64: load(bytes, into: values) { Double(bitPattern: $0) }
    case .float32: load(bytes, into: values) { Double(Float(bitPattern: $0)) }
    case .float16: load(bytes, into: values) { Double(HalfBits.value(float16: $0)) }
    case .bfloat16: load(bytes, into: values) { Double(HalfBits.value(bfloat16: $0)) }
    }
  }

  package static func encode(
    _ values: UnsafeBufferPointer<Double>, as format: FloatFormat, into bytes: UnsafeMutableRawBufferPointer
  ) {
    switch format {
    case .float64: store(values, into: bytes) { $0.bitPattern }
    case .float32: store(values, into: bytes) { Float($0).bitPattern }
    case .float16: store(values, into: bytes) { HalfBits.float16($0) }
    case .bfloat16: store(values, into: bytes) { HalfBits.bfloat16($0) }
    }
  }
}

extension Float: WeightScalar {
  package static var format: FloatFormat { .float32 }

  package static func countNonFinite(_ values: UnsafeBufferPointer<Float>) -> Int {
    count_non_finite_f32(values.baseAddress, values.count)
  }

  package static func decode(
    _ bytes: UnsafeRawBufferPointer, of format: FloatFormat, into values: UnsafeMutableBufferPointer<Float>
  ) {
    switch format {
    case .float64: load(bytes, into: values) { Float(Double(bitPattern: $0)) }
    case .float32: load(bytes, into: values) { Float(bitPattern: $0) }
    case .float16: load(bytes, into: values) { HalfBits.value(float16: $0) }
    case .bfloat16: load(bytes, into: values) { HalfBits.value(bfloat16: $0) }
    }
  }

  package static func encode(
    _ values: UnsafeBufferPointer<Float>, as format: FloatFormat, into bytes: UnsafeMutableRawBufferPointer
  ) {
    switch format {
    case .float64: store(values, into: bytes) { Double($0).bitPattern }
    case .float32: store(values, into: bytes) { $0.bitPattern }
    case .float16: store(values, into: bytes) { HalfBits.float16(Double($0)) }
    case .bfloat16: store(values, into: bytes) { HalfBits.bfloat16(Double($0)) }
    }
  }
}

@inline(__always)
private func load<Bits: FixedWidthInteger & BitwiseCopyable, Value>(
  _ bytes: UnsafeRawBufferPointer, into values: UnsafeMutableBufferPointer<Value>, _ value: (Bits) -> Value
) {
  precondition(bytes.count == values.count * MemoryLayout<Bits>.size)
  guard let source = bytes.baseAddress, let target = values.baseAddress else { return }
  for index in 0..<values.count {
    let bits = source.loadUnaligned(fromByteOffset: index * MemoryLayout<Bits>.size, as: Bits.self)
    target[index] = value(Bits(littleEndian: bits))
  }
}

@inline(__always)
private func store<Bits: FixedWidthInteger & BitwiseCopyable, Value>(
  _ values: UnsafeBufferPointer<Value>, into bytes: UnsafeMutableRawBufferPointer, _ bits: (Value) -> Bits
) {
  precondition(bytes.count == values.count * MemoryLayout<Bits>.size)
  guard let source = values.baseAddress, let target = bytes.baseAddress else { return }
  for index in 0..<values.count {
    target.storeBytes(
      of: bits(source[index]).littleEndian, toByteOffset: index * MemoryLayout<Bits>.size, as: Bits.self)
  }
}
