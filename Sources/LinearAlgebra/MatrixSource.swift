/// A matrix that is read in rectangles, because it may be larger than what should be held of it at once.
package protocol MatrixSource: Sendable {
  var rows: Int { get }
  var columns: Int { get }

  /// The entries of a rectangle in Float64; throws where they cannot be read or are not finite.
  func rectangle(rows: Range<Int>, columns: Range<Int>) throws -> Matrix<Double>
}

extension MatrixSource {
  package var smallerDimension: Int { min(rows, columns) }
  package var largerDimension: Int { max(rows, columns) }

  /// Passes the matrix to `body` in slabs across its longer side, each about 4 MiB or at least `thickness`, with the range of that
  /// side: rows of a tall matrix, columns of a wide one.
  package func forEachSlab(
    thickness: Int = 1, _ body: (Matrix<Double>, Range<Int>) throws -> Void
  ) throws {
    let height = max(1, min(largerDimension, max(thickness, (1 << 19) / max(1, smallerDimension))))
    for start in stride(from: 0, to: largerDimension, by: height) {
      let range = start..<min(start + height, largerDimension)
      let slab =
        rows >= columns
        ? try rectangle(rows: range, columns: 0..<columns) : try rectangle(rows: 0..<rows, columns: range)
      try body(slab, range)
    }
  }
}

extension Matrix: MatrixSource where S == Double {
  package func rectangle(rows rowRange: Range<Int>, columns columnRange: Range<Int>) -> Matrix<Double> {
    guard columnRange == 0..<columns else { return Matrix(view[rowRange, columnRange]) }
    let elements = Array(elements[rowRange.lowerBound * columns..<rowRange.upperBound * columns])
    return Matrix(rows: rowRange.count, columns: columns, elements: elements)
  }
}
