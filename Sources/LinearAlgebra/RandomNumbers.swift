import RealModule

/// A seeded source of random numbers: xoshiro256** (Blackman and Vigna 2018), its state filled by SplitMix64.
///
/// The same seed gives the same numbers on every machine, which Swift's own generator does not promise.
package struct SeededGenerator: RandomNumberGenerator, Sendable {
  private var state: (UInt64, UInt64, UInt64, UInt64)

  package init(seed: UInt64) {
    var x = seed
    func next() -> UInt64 {
      x &+= 0x9E37_79B9_7F4A_7C15
      var z = x
      z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
      z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
      return z ^ (z >> 31)
    }
    state = (next(), next(), next(), next())
  }

  package mutating func next() -> UInt64 {
    func rotated(_ x: UInt64, _ k: UInt64) -> UInt64 { (x << k) | (x >> (64 - k)) }
    let result = rotated(state.1 &* 5, 7) &* 9
    let t = state.1 << 17
    state.2 ^= state.0
    state.3 ^= state.1
    state.1 ^= state.2
    state.0 ^= state.3
    state.2 ^= t
    state.3 = rotated(state.3, 45)
    return result
  }

  /// Uniform on the open interval (0, 1): the middle of one of 2⁵³ equal cells, so that a logarithm of it is finite.
  package mutating func uniform() -> Double {
    (Double(next() >> 11) + 0.5) * 0x1p-53
  }

  /// Uniform on `range`, which must not be empty; every value is exactly as likely (Lemire 2019).
  package mutating func integer(in range: Range<Int>) -> Int {
    precondition(!range.isEmpty, "No number lies in an empty range.")
    // The width of a range may exceed Int's own; its bits are right all the same.
    let width = UInt64(truncatingIfNeeded: range.upperBound &- range.lowerBound)
    var product = next().multipliedFullWidth(by: width)
    if product.low < width {
      // 2⁶⁴ mod width: so many of the 2⁶⁴ numbers are too many, and are drawn again.
      let surplus = (0 &- width) % width
      while product.low < surplus { product = next().multipliedFullWidth(by: width) }
    }
    return range.lowerBound &+ Int(truncatingIfNeeded: product.high)
  }

  /// Standard normal, by the Box–Muller transform.
  package mutating func normal() -> Double {
    let radius = (-2 * Double.log(uniform())).squareRoot()
    return radius * Double.cos(2 * .pi * uniform())
  }

  /// A matrix of independent standard normal entries.
  package mutating func normalMatrix<S: Scalar>(rows: Int, columns: Int) -> Matrix<S> {
    Matrix(rows: rows, columns: columns, elements: (0..<rows * columns).map { _ in S(normal()) })
  }
}
