/// How many values of a tensor are NaN or infinite.
package struct NonFiniteCount: Equatable, Sendable {
  /// Those that are NaN or infinite.
  package private(set) var count = 0
  /// All elements of the tensor.
  package let total: Int
  /// The row-major index of the first such value.
  package private(set) var firstIndex: Int?

  init(total: Int) { self.total = total }

  mutating func add<Scalar: WeightScalar>(_ values: UnsafeBufferPointer<Scalar>, from offset: Int) {
    let found = Scalar.countNonFinite(values)
    if found > 0, firstIndex == nil {
      firstIndex = values.firstIndex { !$0.isFinite }.map { $0 + offset }
    }
    count += found
  }

  /// Adds what was found in a part, whose indices `whole` turns into those of the whole.
  mutating func add(_ part: NonFiniteCount, whole: (Int) -> Int) {
    count += part.count
    guard let index = part.firstIndex.map(whole) else { return }
    firstIndex = min(firstIndex ?? index, index)
  }

  /// The error that says so, or nil when all values are finite.
  package func error(path: String, name: String) -> FileError? {
    guard let firstIndex else { return nil }
    return FileError(
      .nonFinite, path: path, object: "tensor " + FileError.quoted(name),
      "expected finite values, found \(count) of \(total) that \(count == 1 ? "is" : "are") not (first at index \(firstIndex))",
      remedy: "Use a version of it from before the numbers broke down")
  }
}

extension TensorFile {
  /// Counts NaN and infinities in one pass with bounded memory.
  package func countNonFinite(of name: String) throws(FileError) -> NonFiniteCount {
    var blocks = try TensorBlocks<Double>(self, name)
    var found = NonFiniteCount(total: blocks.entry.elementCount)
    while let (values, offset) = try blocks.next() { found.add(values, from: offset) }
    return found
  }

  /// ‖W‖_F in Float64, in one pass with bounded memory; exact scaling by powers of two keeps squares from over- and
  /// underflowing. The order of summation is fixed. Throws `.badContent` when a value is NaN or infinite.
  package func frobeniusNorm(of name: String) throws(FileError) -> Double {
    var sum = ScaledSumOfSquares()
    guard try addSquares(of: name, to: &sum) else {
      // A second pass, so that a good tensor pays nothing for the details of the message.
      if let error = try countNonFinite(of: name).error(path: path, name: name) { throw error }
      throw changed(name)
    }
    return sum.squareRoot
  }

  /// Adds the squares of all elements; false when one of them is not finite.
  func addSquares(of name: String, to sum: inout ScaledSumOfSquares) throws(FileError) -> Bool {
    var blocks = try TensorBlocks<Double>(self, name)
    while let (values, _) = try blocks.next() {
      guard sum.add(values) else { return false }
    }
    return true
  }

  /// The error for values that were not finite in one pass and were in the next.
  func changed(_ name: String) -> FileError {
    FileError(
      .badContent, path: path, object: "tensor " + FileError.quoted(name),
      "expected the same values when read again, found others; is it still being written?")
  }
}

/// Σx² as `sum`·4^`exponent`.
struct ScaledSumOfSquares {
  private var sum = 0.0
  private var exponent = -1022

  /// Adds the squares of a block; false when one of its values is not finite.
  mutating func add(_ values: UnsafeBufferPointer<Double>) -> Bool {
    let largest = Self.largestMagnitude(values)
    guard largest.isFinite else { return false }
    guard largest > 0 else { return true }
    // Within these bounds the scale is a normal number, and products with it neither over- nor underflow harmfully.
    let blockExponent = min(max(Int(largest.exponent), -1022), 1022)
    let squares = Self.sumOfSquares(values, scale: Double(sign: .plus, exponent: -blockExponent, significand: 1))
    let common = max(exponent, blockExponent)
    sum = Self.scaled(sum, by: 2 * (exponent - common)) + Self.scaled(squares, by: 2 * (blockExponent - common))
    exponent = common
    return true
  }

  /// √Σx²; an infinity only when that is beyond Float64 itself.
  var squareRoot: Double { Self.scaled(sum.squareRoot(), by: exponent) }

  private static func scaled(_ value: Double, by exponent: Int) -> Double {
    Double(sign: .plus, exponent: exponent, significand: value)
  }

  private static let lanes = 8

  /// The largest magnitude, or a value that is not finite where there is one.
  private static func largestMagnitude(_ values: UnsafeBufferPointer<Double>) -> Double {
    // Without the sign, the bit patterns of floating-point numbers are in the order of their values, NaN the largest.
    let bits = values.reduce(into: UInt64(0)) { $0 = max($0, $1.magnitude.bitPattern) }
    return Double(bitPattern: bits)
  }

  private static func sumOfSquares(_ values: UnsafeBufferPointer<Double>, scale: Double) -> Double {
    guard let base = UnsafeRawPointer(values.baseAddress) else { return 0 }
    let whole = values.count - values.count % lanes
    var sums = SIMD8<Double>.zero
    for index in stride(from: 0, to: whole, by: lanes) {
      let block = base.loadUnaligned(fromByteOffset: index * MemoryLayout<Double>.stride, as: SIMD8<Double>.self)
      let scaled = block * scale
      sums += scaled * scaled
    }
    for index in whole..<values.count {
      let scaled = values[index] * scale
      sums[index - whole] += scaled * scaled
    }
    return sums.sum()
  }
}
