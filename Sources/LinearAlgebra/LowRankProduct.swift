/// A matrix given by its factors, left · right, with left of rows × p and right of p × columns; p is meant to be small.
package struct LowRankProduct: Sendable {
  package var left: Matrix<Double>
  package var right: Matrix<Double>

  package init(left: Matrix<Double>, right: Matrix<Double>) {
    precondition(left.columns == right.rows, "the factors of a product must fit")
    (self.left, self.right) = (left, right)
  }

  package var rows: Int { left.rows }
  package var columns: Int { right.columns }
  /// The number of rank-one terms, p; the rank of the product is at most this.
  package var terms: Int { left.columns }

  /// The product as a dense matrix.
  package func dense() -> Matrix<Double> { product(left, right) }
}

/// The singular values of a product of factors, and how they were found.
package struct LowRankSpectrum: Equatable, Sendable {
  package enum Route: String, Sendable {
    /// Float64 Gram matrices of both factors.
    case gram
    /// Float64 QR factorisations of both factors.
    case qr
    /// Double-double orthogonalisation of both factors and Jacobi on the core.
    case extended
    /// The dense product, because the factors are wider than half of it.
    case dense
  }

  /// Descending; min(terms, rows, columns) of them.
  package var values: [Double]
  package var route: Route
}

extension LowRankProduct {
  /// The accuracy asked of every singular value above rank deficiency, relative to that value.
  static let targetAccuracy = 1e-11

  /// The singular values of left · right without forming it, in O((rows + columns)·p²).
  ///
  /// Every value is right to 1e-11 of *itself*, whatever basis the factors are written in (left·M and M⁻¹·right have the same
  /// product but another conditioning): the cheapest of three routes that the conditioning κ of the two factors allows is
  /// taken. A Gram matrix loses κ² digits, a QR factorisation κ, and double-double arithmetic has 32 digits to lose. Values
  /// below max(rows, columns)·2⁻⁵²·τ₁ are what rank deficiency leaves behind.
  ///
  /// Where p is more than half of min(rows, columns) the product is formed: then values are right to 1e-11·τ₁.
  ///
  /// - Throws: `LinearAlgebraError.nonFinite`, or `notConverged`.
  package func singularValues() throws(LinearAlgebraError) -> LowRankSpectrum {
    let count = Swift.min(terms, rows, columns)
    if let core = try gramCore() { return LowRankSpectrum(values: core.values, route: .gram) }
    let (balanced, scale) = try balanced()
    let kept = balanced.terms
    guard kept > 0 else { return LowRankSpectrum(values: Array(repeating: 0, count: count), route: .gram) }
    var spectrum = try balanced.spectrumOfBalanced()
    spectrum.values = spectrum.values.prefix(count).map { $0 * scale }
    // Terms that are exactly zero were left out; their singular values are exactly zero.
    spectrum.values += Array(repeating: 0, count: Swift.max(0, count - spectrum.values.count))
    return spectrum
  }

  /// The reduction to a small core by Gram matrices, where the factors' conditioning allows it.
  package func gramCore() throws(LinearAlgebraError) -> GramCore? { try GramCore(self) }

  /// The product with every term's two vectors of about equal length and the largest near 1, all by powers of two, so that
  /// nothing is rounded; terms that are zero are left out.
  private func balanced() throws(LinearAlgebraError) -> (LowRankProduct, scale: Double) {
    let rightTransposed = right.transposedCopy()
    let leftNorms = try left.columnNorms()
    let rightNorms = try rightTransposed.columnNorms()
    let kept = (0..<terms).filter { leftNorms[$0] > 0 && rightNorms[$0] > 0 }
    // A term's vectors of norms 2^e and 2^f become 2^⌊(e+f)/2⌋ and what remains, less the common exponent.
    let sums = kept.map { Int(leftNorms[$0].exponent) + Int(rightNorms[$0].exponent) }
    let common = (sums.max() ?? 0) >> 1
    func scaledColumns(_ a: Matrix<Double>, _ norms: [Double], to targets: [Int]) -> Matrix<Double> {
      var result = Matrix<Double>(rows: a.rows, columns: kept.count)
      let powers = zip(kept, targets).map { term, target in
        Double(sign: .plus, exponent: target - common - Int(norms[term].exponent), significand: 1)
      }
      for i in 0..<a.rows {
        for (column, term) in kept.enumerated() { result[i, column] = a[i, term] * powers[column] }
      }
      return result
    }
    let scaledLeft = scaledColumns(left, leftNorms, to: sums.map { $0 >> 1 })
    let scaledRight = scaledColumns(rightTransposed, rightNorms, to: sums.map { $0 - ($0 >> 1) })
    let result = LowRankProduct(left: scaledLeft, right: scaledRight.transposedCopy())
    return (result, Double(sign: .plus, exponent: 2 * common, significand: 1))
  }

  private func spectrumOfBalanced() throws(LinearAlgebraError) -> LowRankSpectrum {
    let smaller = Swift.min(rows, columns)
    if 2 * terms > smaller {
      return LowRankSpectrum(values: try LinearAlgebra.singularValues(of: dense()), route: .dense)
    }
    let tallRight = right.transposedCopy()
    let leftGram = product(left.transposed, left.view)
    let rightGram = product(tallRight.transposed, tallRight.view)
    guard let a = squaredCondition(ofGram: leftGram), let b = squaredCondition(ofGram: rightGram) else {
      return try extendedSpectrum(tallRight)
    }
    let unit = Double.unitRoundoff
    if unit * a * b <= Self.targetAccuracy, let l = choleskyFactor(of: leftGram), let r = choleskyFactor(of: rightGram)
    {
      return LowRankSpectrum(values: try Self.valuesOfCore(l, r), route: .gram)
    }
    if unit * (a * b).squareRoot() <= Self.targetAccuracy {
      return LowRankSpectrum(values: try Self.valuesOfCore(qr(of: left).r, qr(of: tallRight).r), route: .qr)
    }
    return try extendedSpectrum(tallRight)
  }

  /// left = Q·l and rightᵀ = P·r with orthonormal Q and P: the product Q·(l·rᵀ)·Pᵀ has the singular values of l·rᵀ.
  private static func valuesOfCore(_ l: Matrix<Double>, _ r: Matrix<Double>) throws(LinearAlgebraError) -> [Double] {
    try LinearAlgebra.singularValues(of: product(l.view, r.transposed))
  }

  private func extendedSpectrum(_ tallRight: Matrix<Double>) throws(LinearAlgebraError) -> LowRankSpectrum {
    let l = ExtendedMatrix(left).triangularFactor()
    let r = ExtendedMatrix(tallRight).triangularFactor()
    return LowRankSpectrum(values: try ExtendedMatrix.product(l, byTransposeOf: r).singularValues(), route: .extended)
  }
}

extension LowRankProduct {
  /// ‖left · right‖_F = √(Σ (leftᵀ·left)∘(right·rightᵀ)) without forming it, in O((rows + columns)·terms²).
  ///
  /// Relative error about u·‖left‖_F²‖right‖_F²/‖left·right‖_F²: right to some digits even where the terms cancel to 1e-6 of
  /// themselves. NaN where an entry is.
  package func frobeniusNorm() -> Double {
    let (a, b) = (product(left.transposed, left.view), product(right.view, right.transposed))
    return max(0, zip(a.elements, b.elements).reduce(0) { $0 + $1.0 * $1.1 }).squareRoot()
  }
}

extension LowRankProduct {
  /// The thin singular value decomposition, from QR factorisations of both factors and the SVD of the small core: terms triplets. Where
  /// there are more terms than rows or columns the product is formed, and there are min(rows, columns).
  ///
  /// The terms are balanced first, so that a large vector which a small one multiplies does no harm. `singularValues()` gives small
  /// values to more digits.
  ///
  /// - Returns: the decomposition, and a bound of the norm of the error in the product that explains its errors, about
  ///   u·‖left‖_F‖right‖_F of the balanced factors.
  /// - Throws: `LinearAlgebraError`. Cost O((rows + columns)·terms²).
  package func decomposition() throws(LinearAlgebraError) -> (svd: SVD<Double>, backwardError: Double) {
    let (balanced, scale) = try balanced()
    var svd = try balanced.decompositionOfBalanced()
    for i in svd.values.indices { svd.values[i] *= scale }
    let size = try balanced.left.frobeniusNorm() * balanced.right.frobeniusNorm() * scale
    return (svd, 16 * Double.unitRoundoff * size)
  }

  private func decompositionOfBalanced() throws(LinearAlgebraError) -> SVD<Double> {
    guard terms <= Swift.min(rows, columns) else { return try singularValueDecomposition(of: dense()) }
    let (l, r) = (try qr(of: left), try qr(of: right.transposedCopy()))
    let core = try singularValueDecomposition(of: product(l.r.view, r.r.transposed))
    return SVD(
      u: product(l.q, core.u!), values: core.values, vTransposed: product(core.vTransposed!.view, r.q.transposed))
  }
}
