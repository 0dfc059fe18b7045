internal import CKernels

/// Loops over the elements of whole arrays.
///
/// Written once for both scalar types, and reached through `Scalar`, whose conformances below call them with a concrete type: so
/// they are compiled for that type even where the caller is generic and in another module.
package protocol ElementLoops {
  /// The largest |x|, and whether all are finite.
  static func largestMagnitude(_ x: UnsafeBufferPointer<Self>) -> (largest: Self, isFinite: Bool)

  /// Σ (scale·x)², in Float64.
  static func sumOfSquares(_ x: UnsafeBufferPointer<Self>, scale: Double) -> Double

  /// Adds (scale·x)² of every column of the row-major x to `sums`, which has an entry a column.
  static func addColumnSquares(
    _ x: UnsafeBufferPointer<Self>, scale: Double, to sums: UnsafeMutableBufferPointer<Double>)

  /// out = factor·x.
  static func scale(_ x: UnsafeBufferPointer<Self>, by factor: Self, into out: UnsafeMutableBufferPointer<Self>)

  /// out = x − y.
  static func subtract(
    _ x: UnsafeBufferPointer<Self>, _ y: UnsafeBufferPointer<Self>, into out: UnsafeMutableBufferPointer<Self>)

  /// The transpose of the row-major x, which has `columns` columns.
  static func transpose(
    _ x: UnsafeBufferPointer<Self>, columns: Int, into out: UnsafeMutableBufferPointer<Self>)

  /// The same values in Float64.
  static func doubles(_ x: [Self]) -> [Double]

  /// The nearest values of this type.
  static func rounded(_ x: [Double]) -> [Self]
}

/// The loops themselves.
private enum Loop {
  @inline(__always)
  static func addColumnSquares<S: Scalar>(
    _ x: UnsafeBufferPointer<S>, _ scale: Double, _ sums: UnsafeMutableBufferPointer<Double>
  ) {
    let columns = sums.count
    guard columns > 0 else { return }
    for i in 0..<x.count / columns {
      for j in 0..<columns {
        let scaled = Double(x[i * columns + j]) * scale
        sums[j] += scaled * scaled
      }
    }
  }

  @inline(__always)
  static func transpose<S: Scalar>(_ x: UnsafeBufferPointer<S>, _ columns: Int, _ out: UnsafeMutableBufferPointer<S>) {
    guard columns > 0 else { return }
    let rows = x.count / columns
    // Square tiles, so that neither side jumps a cache line for every element.
    let tile = 16
    for top in stride(from: 0, to: rows, by: tile) {
      for left in stride(from: 0, to: columns, by: tile) {
        for i in top..<min(top + tile, rows) {
          for j in left..<min(left + tile, columns) { out[j * rows + i] = x[i * columns + j] }
        }
      }
    }
  }
}

extension Double: ElementLoops {
  package static func doubles(_ x: [Double]) -> [Double] { x }
  package static func rounded(_ x: [Double]) -> [Double] { x }

  package static func largestMagnitude(_ x: UnsafeBufferPointer<Double>) -> (largest: Double, isFinite: Bool) {
    var isFinite: Int32 = 1
    let largest = largest_magnitude_f64(x.baseAddress, x.count, &isFinite)
    return (largest, isFinite != 0)
  }

  package static func sumOfSquares(_ x: UnsafeBufferPointer<Double>, scale: Double) -> Double {
    sum_of_squares_f64(x.baseAddress, x.count, scale)
  }

  package static func addColumnSquares(
    _ x: UnsafeBufferPointer<Double>, scale: Double, to sums: UnsafeMutableBufferPointer<Double>
  ) {
    Loop.addColumnSquares(x, scale, sums)
  }

  package static func scale(
    _ x: UnsafeBufferPointer<Double>, by factor: Double, into out: UnsafeMutableBufferPointer<Double>
  ) {
    for i in x.indices { out[i] = x[i] * factor }
  }

  package static func subtract(
    _ x: UnsafeBufferPointer<Double>, _ y: UnsafeBufferPointer<Double>, into out: UnsafeMutableBufferPointer<Double>
  ) {
    for i in x.indices { out[i] = x[i] - y[i] }
  }

  package static func transpose(
    _ x: UnsafeBufferPointer<Double>, columns: Int, into out: UnsafeMutableBufferPointer<Double>
  ) {
    Loop.transpose(x, columns, out)
  }
}

extension Float: ElementLoops {
  package static func doubles(_ x: [Float]) -> [Double] { x.map { Double($0) } }
  package static func rounded(_ x: [Double]) -> [Float] { x.map { Float($0) } }

  package static func largestMagnitude(_ x: UnsafeBufferPointer<Float>) -> (largest: Float, isFinite: Bool) {
    var isFinite: Int32 = 1
    let largest = largest_magnitude_f32(x.baseAddress, x.count, &isFinite)
    return (largest, isFinite != 0)
  }

  package static func sumOfSquares(_ x: UnsafeBufferPointer<Float>, scale: Double) -> Double {
    sum_of_squares_f32(x.baseAddress, x.count, scale)
  }

  package static func addColumnSquares(
    _ x: UnsafeBufferPointer<Float>, scale: Double, to sums: UnsafeMutableBufferPointer<Double>
  ) {
    Loop.addColumnSquares(x, scale, sums)
  }

  package static func scale(
    _ x: UnsafeBufferPointer<Float>, by factor: Float, into out: UnsafeMutableBufferPointer<Float>
  ) {
    for i in x.indices { out[i] = x[i] * factor }
  }

  package static func subtract(
    _ x: UnsafeBufferPointer<Float>, _ y: UnsafeBufferPointer<Float>, into out: UnsafeMutableBufferPointer<Float>
  ) {
    for i in x.indices { out[i] = x[i] - y[i] }
  }

  package static func transpose(
    _ x: UnsafeBufferPointer<Float>, columns: Int, into out: UnsafeMutableBufferPointer<Float>
  ) {
    Loop.transpose(x, columns, out)
  }
}
