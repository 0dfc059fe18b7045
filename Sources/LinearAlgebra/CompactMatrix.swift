internal import CKernels

/// A matrix held in the narrower type that its entries fit into without loss, and multiplied in Float64.
///
/// Weights are stored in 16 or 32 bits; held as Float32 they take half the memory, and products convert a slab at a time.
package struct CompactMatrix: MatrixSource {
  private enum Storage {
    case float(Matrix<Float>)
    case double(Matrix<Double>)
  }

  private let storage: Storage
  package let rows: Int
  package let columns: Int

  package init(_ matrix: Matrix<Float>) {
    (storage, rows, columns) = (.float(matrix), matrix.rows, matrix.columns)
  }

  package init(_ matrix: Matrix<Double>) {
    (storage, rows, columns) = (.double(matrix), matrix.rows, matrix.columns)
  }

  package func rectangle(rows rowRange: Range<Int>, columns columnRange: Range<Int>) -> Matrix<Double> {
    switch storage {
    case .double(let matrix): matrix.rectangle(rows: rowRange, columns: columnRange)
    case .float(let matrix):
      columnRange == 0..<columns
        ? Matrix<Double>(
          rows: rowRange.count, columns: columns,
          elements: Float.doubles(Array(matrix.elements[rowRange.lowerBound * columns..<rowRange.upperBound * columns]))
        )
        : Matrix<Double>(Matrix(matrix.view[rowRange, columnRange]))
    }
  }

  /// All entries in Float64.
  package func dense() -> Matrix<Double> { rectangle(rows: 0..<rows, columns: 0..<columns) }

  /// x·Wᵀ: the images W·v of the rows v of x, as rows. Cost 2·rows·columns·x.rows flop.
  package func images(of x: Matrix<Double>) -> Matrix<Double> {
    precondition(x.columns == columns, "a row of the argument is an input")
    guard case .float(let matrix) = storage else { return product(x.view, doubleMatrix.transposed) }
    var result = Matrix<Double>(rows: x.rows, columns: rows)
    if WideningProduct.fits(x.rows, rows) {
      WideningProduct.forEachPiece(of: rows, width: 64) { range in
        result.replaceColumns(range, with: WideningProduct.wide(x, matrix, rows: range))
      }
    } else {
      forEachRowSlab { slab, range in result.replaceColumns(range, with: product(x.view, slab.transposed)) }
    }
    return result
  }

  /// y·W: the images Wᵀ·u of the rows u of y, as rows. Cost 2·rows·columns·y.rows flop.
  package func adjointImages(of y: Matrix<Double>) -> Matrix<Double> {
    precondition(y.columns == rows, "a row of the argument is an output")
    guard case .float(let matrix) = storage else { return product(y, doubleMatrix) }
    var result = Matrix<Double>(rows: y.rows, columns: columns)
    if WideningProduct.fits(y.rows, columns) {
      let factor = y.transposedCopy()
      WideningProduct.forEachPiece(of: columns, width: 192) { range in
        result.replaceColumns(range, with: WideningProduct.tall(factor, matrix, columns: range))
      }
    } else {
      forEachRowSlab { slab, range in result.add(product: y.view[0..<y.rows, range], slab.view) }
    }
    return result
  }

  private var doubleMatrix: Matrix<Double> {
    guard case .double(let matrix) = storage else { return dense() }
    return matrix
  }

  private func forEachRowSlab(_ body: (Matrix<Double>, Range<Int>) -> Void) {
    // A slab of about a mebibyte stays in the second-level cache between its conversion and the product.
    let height = max(8, min(rows, (1 << 17) / max(1, columns)))
    for start in stride(from: 0, to: rows, by: height) {
      let range = start..<min(start + height, rows)
      body(rectangle(rows: range, columns: 0..<columns), range)
    }
  }

  /// Σ over a row, and over a column, of the squares of the entries.
  package func squaredNorms() -> (rows: [Double], columns: [Double]) {
    var (rowSums, columnSums) = ([Double](), [Double](repeating: 0, count: columns))
    rowSums.reserveCapacity(rows)
    forEachRowSlab { slab, _ in
      rowSums += slab.rowNorms().map { $0 * $0 }
      slab.elements.withUnsafeBufferPointer { entries in
        columnSums.withUnsafeMutableBufferPointer { Double.addColumnSquares(entries, scale: 1, to: $0) }
      }
    }
    return (rowSums, columnSums)
  }
}

/// Products of a few vectors in Float64 with a matrix in Float32, by kernels that widen its entries as they are read.
private enum WideningProduct {
  /// Whether there are such kernels for this processor and these sizes.
  static func fits(_ vectors: Int, _ length: Int) -> Bool { vectors >= 8 && length >= 8 && has_skinny_products() != 0 }

  /// Divides 0..<count into ranges of `width`; the last one takes what is too little for a kernel.
  static func forEachPiece(of count: Int, width: Int, _ body: (Range<Int>) -> Void) {
    var start = 0
    while start < count {
      let end = count - start < width + 8 ? count : start + width
      body(start..<end)
      start = end
    }
  }

  /// x·(rows of w)ᵀ.
  static func wide(_ x: Matrix<Double>, _ w: Matrix<Float>, rows range: Range<Int>) -> Matrix<Double> {
    multiply(x.rows, range.count, x, w, from: range.lowerBound * w.columns) {
      skinny_product_wide_float(x.rows, range.count, w.columns, $0, x.columns, $1, w.columns, $2)
    }
  }

  /// xᵀ·(columns of w).
  static func tall(_ x: Matrix<Double>, _ w: Matrix<Float>, columns range: Range<Int>) -> Matrix<Double> {
    multiply(x.columns, range.count, x, w, from: range.lowerBound) {
      skinny_product_tall_float(x.columns, range.count, w.rows, $0, x.columns, $1, w.columns, $2)
    }
  }

  private static func multiply(
    _ rows: Int, _ columns: Int, _ x: Matrix<Double>, _ w: Matrix<Float>, from offset: Int,
    _ kernel: (UnsafePointer<Double>, UnsafePointer<Float>, UnsafeMutablePointer<Double>) -> Void
  ) -> Matrix<Double> {
    let elements = [Double](unsafeUninitializedCapacity: rows * columns) { buffer, count in
      x.elements.withUnsafeBufferPointer { xp in
        w.elements.withUnsafeBufferPointer { wp in
          kernel(xp.baseAddress!, wp.baseAddress! + offset, buffer.baseAddress!)
        }
      }
      count = rows * columns
    }
    return Matrix(rows: rows, columns: columns, elements: elements)
  }
}

extension Matrix where S == Double {
  /// self += a·b, by BLAS.
  package mutating func add(product a: MatrixView<Double>, _ b: MatrixView<Double>) {
    precondition(
      a.columns == b.rows && a.rows == rows && b.columns == columns, "the dimensions of a product must agree")
    guard rows > 0, columns > 0, a.columns > 0 else { return }
    elements.withUnsafeMutableBufferPointer { cp in
      a.storage.withUnsafeBufferPointer { ap in
        b.storage.withUnsafeBufferPointer { bp in
          S.gemm(
            a.isTransposed, b.isTransposed, a.rows, b.columns, a.columns, 1, ap.baseAddress! + a.offset, a.stride,
            bp.baseAddress! + b.offset, b.stride, 1, cp.baseAddress!, b.columns)
        }
      }
    }
  }
}
