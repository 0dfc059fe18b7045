import Foundation
import LinearAlgebra

/// Which singular vectors of a weight to keep.
package struct KeptVectors: Equatable, Sendable {
  /// The first `leading` and the last `trailing`.
  package var leading: Int
  package var trailing: Int
  /// Keep all of them whatever the size.
  package var keepsAll: Bool

  package init(leading: Int, trailing: Int, keepsAll: Bool = false) {
    self.leading = leading
    self.trailing = trailing
    self.keepsAll = keepsAll
  }

  /// What metrics of k directions look at, and the last k.
  package init(directions k: Int, keepsAll: Bool = false) {
    self.init(leading: Self.leading(directions: k), trailing: k, keepsAll: keepsAll)
  }

  /// The first 2k, since the largest gap may stand there; and not fewer than intruders are told from.
  package static func leading(directions k: Int) -> Int { max(2 * k, 2 * Intruders.most) }

  /// Up to this min(rows, columns) all vectors are kept.
  package static let orderKeptWhole = 1024
  /// Beyond this max(rows, columns), that of a vocabulary, only the ends are kept: all vectors would outgrow the memory promised.
  package static let lengthKeptWhole = 1 << 15

  /// Up to this min(rows, columns) all vectors of the shorter side are kept, whose size is then at most 32 MiB.
  package static let orderOfWholeSide = 2048

  /// Whether all vectors of the shorter side of a matrix of this shape are kept.
  package func keepsWholeSide(rows: Int, columns: Int) -> Bool {
    let order = min(rows, columns)
    return counts(rows: rows, columns: columns).leading == order || order <= Self.orderOfWholeSide
  }

  /// The counts for a matrix of this shape.
  package func counts(rows: Int, columns: Int) -> (leading: Int, trailing: Int) {
    let (order, length) = (min(rows, columns), max(rows, columns))
    let isSmall = order <= Self.orderKeptWhole && length <= Self.lengthKeptWhole
    guard !keepsAll, !isSmall, leading + trailing < order else { return (order, 0) }
    return (leading, trailing)
  }
}

extension SpectralBasis {
  /// Where singular values are below this times σ₁, vectors and values come from a bidiagonalisation: a Gram matrix, whose condition is
  /// the square, has lost them.
  static let vectorLimit = 1e-6
  /// Below this times σ₁ a value from a Gram matrix has fewer than five digits, and only those of kept vectors are refined by ‖W·v‖.
  static let valueLimit = 1e-4

  /// The basis of W₀ by one tridiagonalisation of its Gram matrix in Float64: all values, and the vectors of both ends.
  ///
  /// W₀ is read twice, three times where it has values below 1e-4 σ₁ that no kept vector refines. Memory is about 3·8·q² bytes and the vectors. Cost
  /// rows·columns·q + 4/3·q³ flop, and 2·rows·columns for each vector kept.
  ///
  /// - Throws: what reading W₀ throws, or `LinearAlgebraError.notConverged`.
  package init(of w: some MatrixSource, keeping kept: KeptVectors) throws {
    let counts = kept.counts(rows: w.rows, columns: w.columns)
    let keepsSide = kept.keepsWholeSide(rows: w.rows, columns: w.columns)
    try self.init(
      of: w, leading: counts.leading, trailing: counts.trailing, keepsSide: keepsSide,
      tellsNullSpace: w.rows != w.columns && !keepsSide)
  }

  /// The same for exactly so many vectors of the ends, which together are at most q.
  ///
  /// - Parameters:
  ///   - keepsSide: keep all vectors of the shorter side.
  ///   - tellsNullSpace: keep a `gramFactor`.
  package init(
    of w: some MatrixSource, leading: Int, trailing: Int, keepsSide: Bool = false, tellsNullSpace: Bool = false
  ) throws {
    try self.init(
      of: w, gram: GramMatrix(of: w), leading: leading, trailing: trailing, keepsSide: keepsSide,
      tellsNullSpace: tellsNullSpace)
  }

  /// The same of W₀ + ΔW, whose Gram matrix is known in the coordinates of a side of W₀.
  init(
    of w: UpdatedWeight, gram: UpdatedGram, of basis: SpectralBasis, leading: Int, trailing: Int
  ) throws {
    try self.init(
      of: w, gram: gram.dense(), in: gram.side.vectors, errorOfGram: basis.error, leading: leading, trailing: trailing,
      keepsSide: false, tellsNullSpace: false)
  }

  /// - Parameters:
  ///   - gram: the Gram matrix of the shorter side, or in coordinates of the rows of `side`.
  ///   - given: the error that it has beside that of this arithmetic.
  private init(
    of w: some MatrixSource, gram: consuming GramMatrix, in side: Matrix<Double>? = nil,
    errorOfGram given: FrameError? = nil, leading: Int, trailing: Int, keepsSide: Bool, tellsNullSpace: Bool
  ) throws {
    let trace = max(0, gram.trace)
    let factor = tellsNullSpace ? gram.packedCholeskyFactor() : nil
    let form = TridiagonalForm(reducing: gram)
    var values = try form.eigenvalues().map { max(0, $0).squareRoot() }
    let largest = values.first ?? 0
    let short: Matrix<Double>
    let error: FrameError
    if let last = values.last, last < Self.vectorLimit * largest {
      let exact = try Bidiagonalization(of: w)
      values = exact.values
      short = keepsSide ? exact.vectors! : exact.vectors!.ends(leading: leading, trailing: trailing)
      error = FrameError(direct: 16 * Double.unitRoundoff * largest * Double(values.count).squareRoot(), squared: 0)
    } else {
      let found =
        keepsSide ? try form.eigenvectors(0..<form.order) : try form.ends(leading: leading, trailing: trailing)
      short = side.map { product(found, $0) } ?? found
      let scale = 32 * Double(values.count).squareRoot() * largest * largest + 2 * trace
      error = FrameError(
        direct: given?.direct ?? 0, squared: Double.unitRoundoff * scale + (given?.squared ?? 0))
    }
    let ends = short.ends(leading: leading, trailing: trailing)
    let long = try LongSide(of: w, short: ends, zeroBelow: 4 * Double(values.count) * .unitRoundoff * largest)
    if error.squared > 0 {
      let unrefined = values[leading..<values.count - trailing].last ?? largest
      if unrefined < Self.valueLimit * largest {
        values = try Bidiagonalization(of: w, vectors: .none).values
      } else {
        values.refine(by: long.norms, leading: leading, trailing: trailing)
      }
    }
    let isTall = w.rows >= w.columns
    self.init(
      rows: w.rows, columns: w.columns, values: values, leading: leading, trailing: trailing,
      left: isTall ? long.vectors : ends, right: isTall ? ends : long.vectors,
      whole: keepsSide ? WholeSide(side: isTall ? .right : .left, vectors: short) : nil,
      gramFactor: error.direct == 0 ? factor : nil,
      frobeniusNorm: trace.squareRoot(), error: error)
  }
}

/// The singular vectors of the longer side, W·v/σ, as rows.
private struct LongSide {
  /// Orthonormal rows, but for zeros where σ is.
  let vectors: Matrix<Double>
  /// ‖W·v‖, which is σ to more digits than the root of an eigenvalue.
  let norms: [Double]

  init(of w: some MatrixSource, short: Matrix<Double>, zeroBelow threshold: Double) throws {
    let isTall = w.rows >= w.columns
    var images = Matrix<Double>(rows: short.rows, columns: w.largerDimension)
    try w.forEachSlab { slab, range in
      let block = isTall ? product(short.view, slab.transposed) : product(short, slab)
      images.replaceColumns(range, with: block)
    }
    norms = images.rowNorms()
    for (i, norm) in norms.enumerated() { images.scaleRow(i, by: norm > threshold ? 1 / norm : 0) }
    vectors = Self.orthonormalized(images)
  }

  /// Images of vectors with small values lean on those with large ones by u·σ₁/σ. One Cholesky factorisation of their nearly diagonal
  /// Gram matrix takes that out, the large ones first.
  private static func orthonormalized(_ rows: Matrix<Double>) -> Matrix<Double> {
    var gram = product(rows.view, rows.transposed)
    var largest = 0.0
    for i in 0..<gram.rows {
      for j in 0..<i { largest = max(largest, abs(gram[i, j])) }
      // A row of zeros stands for a vector that nothing defines.
      if gram[i, i] == 0 { gram[i, i] = 1 }
    }
    guard largest > 1e-15 else { return rows }
    return rows.dividedFromLeft(byTransposedCholeskyFactorOf: gram) ?? rows
  }
}

extension TridiagonalForm {
  /// The first and the last eigenvectors as rows, in descending order of their values.
  fileprivate func ends(leading: Int, trailing: Int) throws(LinearAlgebraError) -> Matrix<Double> {
    // Vectors of one cluster are orthogonal only to those that are computed with them.
    if leading + trailing == order { return try eigenvectors(0..<order) }
    let first = try eigenvectors(0..<leading)
    return trailing == 0 ? first : .stacked([first, try eigenvectors(order - trailing..<order)])
  }
}

extension Matrix<Double> {
  /// The first and the last rows.
  fileprivate func ends(leading: Int, trailing: Int) -> Matrix<Double> {
    guard leading + trailing < rows else { return self }
    return .stacked([Matrix(view[0..<leading, 0..<columns]), Matrix(view[rows - trailing..<rows, 0..<columns])])
  }
}

extension [Double] {
  /// Takes the norms of the kept vectors' images for their values, which stay in descending order.
  fileprivate mutating func refine(by norms: [Double], leading: Int, trailing: Int) {
    for (row, norm) in norms.enumerated() {
      self[row < leading ? row : count - (leading + trailing) + row] = norm
    }
    for i in indices.dropFirst() { self[i] = Swift.min(self[i], self[i - 1]) }
  }
}
