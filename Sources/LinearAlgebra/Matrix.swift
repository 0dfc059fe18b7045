import Foundation

/// A dense matrix, stored row by row: element (i, j) is `elements[i·columns + j]`, as in NumPy and safetensors.
package struct Matrix<S: Scalar>: Equatable, Sendable {
  package let rows: Int
  package let columns: Int
  package var elements: [S]

  /// Takes `elements` row by row; there must be rows × columns of them.
  package init(rows: Int, columns: Int, elements: [S]) {
    precondition(
      rows >= 0 && columns >= 0 && elements.count == rows * columns, "a matrix needs rows × columns elements")
    self.rows = rows
    self.columns = columns
    self.elements = elements
  }

  package init(rows: Int, columns: Int, repeating value: S) {
    self.init(rows: rows, columns: columns, elements: Array(repeating: value, count: rows * columns))
  }

  /// Zeros.
  package init(rows: Int, columns: Int) {
    let elements = [S](unsafeUninitializedCapacity: rows * columns) { buffer, count in
      // A number whose bits are all zero is zero.
      _ = buffer.baseAddress.map { memset($0, 0, rows * columns * MemoryLayout<S>.stride) }
      count = rows * columns
    }
    self.init(rows: rows, columns: columns, elements: elements)
  }

  /// A copy of what `view` shows.
  package init(_ view: MatrixView<S>) {
    let (height, width) = view.isTransposed ? (view.columns, view.rows) : (view.rows, view.columns)
    var elements: [S] = []
    elements.reserveCapacity(height * width)
    for i in 0..<height {
      let start = view.offset + i * view.stride
      elements.append(contentsOf: view.storage[start..<start + width])
    }
    let copy = Matrix(rows: height, columns: width, elements: elements)
    self = view.isTransposed ? copy.transposedCopy() : copy
  }

  /// The matrix with its entries converted, rounded to nearest where the type is narrower.
  package init<T: Scalar>(_ other: Matrix<T>) {
    self.init(rows: other.rows, columns: other.columns, elements: S.rounded(T.doubles(other.elements)))
  }

  package static func identity(_ n: Int) -> Matrix {
    var result = Matrix(rows: n, columns: n)
    for i in 0..<n { result[i, i] = 1 }
    return result
  }

  package subscript(i: Int, j: Int) -> S {
    get { elements[i * columns + j] }
    set { elements[i * columns + j] = newValue }
  }

  /// The matrix itself as a view; shares the storage.
  package var view: MatrixView<S> {
    MatrixView(storage: elements, offset: 0, rows: rows, columns: columns, stride: columns, isTransposed: false)
  }

  /// The transposed matrix as a view; shares the storage.
  package var transposed: MatrixView<S> { view.transposed }

  /// The smaller dimension, which is the number of singular values.
  package var smallerDimension: Int { Swift.min(rows, columns) }
}

/// A rectangle of a matrix, or its transpose, that shares the matrix's storage until one of them changes.
package struct MatrixView<S: Scalar>: Sendable {
  let storage: [S]
  let offset: Int
  /// As seen through the view, after transposition.
  package let rows: Int
  package let columns: Int
  let stride: Int
  let isTransposed: Bool

  package var transposed: MatrixView {
    MatrixView(
      storage: storage, offset: offset, rows: columns, columns: rows, stride: stride, isTransposed: !isTransposed)
  }

  package subscript(i: Int, j: Int) -> S {
    isTransposed ? storage[offset + j * stride + i] : storage[offset + i * stride + j]
  }

  /// The rectangle of the given rows and columns.
  package subscript(rowRange: Range<Int>, columnRange: Range<Int>) -> MatrixView {
    precondition(
      rowRange.lowerBound >= 0 && rowRange.upperBound <= rows && columnRange.lowerBound >= 0
        && columnRange.upperBound <= columns, "the rectangle reaches outside the matrix")
    let (i, j) = (rowRange.lowerBound, columnRange.lowerBound)
    return MatrixView(
      storage: storage, offset: offset + (isTransposed ? j * stride + i : i * stride + j), rows: rowRange.count,
      columns: columnRange.count, stride: stride, isTransposed: isTransposed)
  }
}
