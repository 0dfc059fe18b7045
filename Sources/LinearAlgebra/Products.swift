/// alpha · a · b, by BLAS or, where a small result has a long inner dimension, by a kernel that is faster there.
package func product<S: Scalar>(_ a: MatrixView<S>, _ b: MatrixView<S>, alpha: S = 1) -> Matrix<S> {
  precondition(a.columns == b.rows, "the inner dimensions of a product must agree")
  var result = Matrix<S>(rows: a.rows, columns: b.columns)
  // BLAS wants leading dimensions of at least one, and an empty inner dimension is a product of zeros already.
  guard a.rows > 0, b.columns > 0, a.columns > 0 else { return result }
  a.storage.withUnsafeBufferPointer { ap in
    b.storage.withUnsafeBufferPointer { bp in
      result.elements.withUnsafeMutableBufferPointer { cp in
        let (x, y) = (ap.baseAddress! + a.offset, bp.baseAddress! + b.offset)
        guard
          !S.skinnyProduct(
            a.isTransposed, b.isTransposed, a.rows, b.columns, a.columns, alpha, x, a.stride, y, b.stride,
            cp.baseAddress!)
        else { return }
        S.gemm(
          a.isTransposed, b.isTransposed, a.rows, b.columns, a.columns, alpha, x, a.stride, y, b.stride, 0,
          cp.baseAddress!, b.columns)
      }
    }
  }
  return result
}

/// alpha · a · b.
package func product<S: Scalar>(_ a: Matrix<S>, _ b: Matrix<S>, alpha: S = 1) -> Matrix<S> {
  product(a.view, b.view, alpha: alpha)
}

extension Matrix {
  /// A copy laid out as the transpose.
  package func transposedCopy() -> Matrix {
    Matrix(rows: columns, columns: rows, filledBy: { S.transpose($0, columns: columns, into: $1) }, from: self)
  }

  /// The matrices side by side; all have the same number of rows.
  package static func sideBySide(_ parts: [Matrix]) -> Matrix {
    let rows = parts.first?.rows ?? 0
    precondition(parts.allSatisfy { $0.rows == rows }, "matrices side by side need equal numbers of rows")
    let columns = parts.reduce(0) { $0 + $1.columns }
    var elements: [S] = []
    elements.reserveCapacity(rows * columns)
    for i in 0..<rows {
      for part in parts { elements += part.elements[i * part.columns..<(i + 1) * part.columns] }
    }
    return Matrix(rows: rows, columns: columns, elements: elements)
  }

  /// The matrices one below the other; all have the same number of columns.
  package static func stacked(_ parts: [Matrix]) -> Matrix {
    let columns = parts.first?.columns ?? 0
    precondition(parts.allSatisfy { $0.columns == columns }, "stacked matrices need equal numbers of columns")
    let rows = parts.reduce(0) { $0 + $1.rows }
    var elements: [S] = []
    elements.reserveCapacity(rows * columns)
    for part in parts { elements += part.elements }
    return Matrix(rows: rows, columns: columns, elements: elements)
  }

  /// The entry-wise difference of two matrices of one shape.
  package static func - (a: Matrix, b: Matrix) -> Matrix {
    precondition(a.rows == b.rows && a.columns == b.columns, "a difference needs two matrices of one shape")
    return b.elements.withUnsafeBufferPointer { subtrahend in
      Matrix(rows: a.rows, columns: a.columns, filledBy: { S.subtract($0, subtrahend, into: $1) }, from: a)
    }
  }

  package func scaled(by factor: S) -> Matrix {
    Matrix(rows: rows, columns: columns, filledBy: { S.scale($0, by: factor, into: $1) }, from: self)
  }

  /// A matrix that `fill` makes of the elements of another one.
  private init(
    rows: Int, columns: Int,
    filledBy fill: (UnsafeBufferPointer<S>, UnsafeMutableBufferPointer<S>) -> Void, from other: Matrix
  ) {
    let elements = [S](unsafeUninitializedCapacity: rows * columns) { buffer, count in
      // The elements are trivial values; `fill` assigns every one of them.
      let target = UnsafeMutableBufferPointer(rebasing: buffer[..<(rows * columns)])
      other.elements.withUnsafeBufferPointer { fill($0, target) }
      count = rows * columns
    }
    self.init(rows: rows, columns: columns, elements: elements)
  }
}

// MARK: - Vectors as rows

extension Matrix where S == Double {
  /// Puts a matrix of as many rows in place of the columns `range`.
  package mutating func replaceColumns(_ range: Range<Int>, with block: Matrix) {
    precondition(block.rows == rows && block.columns == range.count, "the block must fit its place")
    for i in 0..<rows {
      let (target, source) = (i * columns + range.lowerBound, i * block.columns)
      elements.replaceSubrange(target..<target + range.count, with: block.elements[source..<source + range.count])
    }
  }

  /// Euclidean norms of the rows, of entries near 1.
  package func rowNorms() -> [Double] {
    (0..<rows).map { rowNorm($0) }
  }

  package mutating func scaleRow(_ i: Int, by factor: Double) {
    for j in i * columns..<(i + 1) * columns { elements[j] *= factor }
  }

  /// R⁻ᵀ·self with RᵀR = `gram`; nil where that is not positive definite.
  package func dividedFromLeft(byTransposedCholeskyFactorOf gram: Matrix) -> Matrix? {
    guard let r = choleskyFactor(of: gram) else { return nil }
    // R⁻ᵀ·a is the transpose of aᵀ·R⁻¹.
    var columnsOfSelf = transposedCopy()
    divide(&columnsOfSelf, byUpper: r)
    return columnsOfSelf.transposedCopy()
  }
}

extension Matrix where S == Double {
  /// The Euclidean norm of a row, of entries near 1.
  package func rowNorm(_ i: Int) -> Double {
    elements.withUnsafeBufferPointer {
      S.sumOfSquares(UnsafeBufferPointer(rebasing: $0[i * columns..<(i + 1) * columns]), scale: 1).squareRoot()
    }
  }

  /// self += other, entry by entry.
  package mutating func add(_ other: Matrix) {
    precondition(rows == other.rows && columns == other.columns, "a sum needs two matrices of one shape")
    for i in elements.indices { elements[i] += other.elements[i] }
  }

  package static func + (a: Matrix, b: Matrix) -> Matrix {
    var sum = a
    sum.add(b)
    return sum
  }
}

extension Matrix where S == Double {
  /// self·R⁻¹ for the upper triangular R whose rows follow one another from the diagonal on.
  package func dividedFromRight(byPackedUpper packed: [Double]) -> Matrix {
    precondition(packed.count == columns * (columns + 1) / 2, "a packed triangle of the matrix's width")
    var r = Matrix(rows: columns, columns: columns)
    var next = 0
    for i in 0..<columns {
      r.elements.replaceSubrange(i * columns + i..<(i + 1) * columns, with: packed[next..<next + columns - i])
      next += columns - i
    }
    var result = self
    divide(&result, byUpper: r)
    return result
  }
}

extension Matrix where S == Double {
  /// Multiplies column j by factors[j].
  package mutating func scaleColumns(by factors: [Double]) {
    precondition(factors.count == columns, "a factor a column")
    for i in 0..<rows {
      for j in 0..<columns { elements[i * columns + j] *= factors[j] }
    }
  }

  /// Σ of the squares of the entries, of entries near 1.
  package var squaredNorm: Double {
    elements.withUnsafeBufferPointer { Double.sumOfSquares($0, scale: 1) }
  }
}
