import LinearAlgebra

/// The law of step sizes: how far one step of Adam moves a weight, per unit of learning rate.
///
/// Adam moves every trained number θᵢ by about the learning rate η, with a sign of its own. For independent signs the expected
/// ‖δW‖_F² is η²·Σᵢ‖∂W_eff/∂θᵢ‖_F², so that ‖δW‖_F ≈ η·‖J‖_F. It holds for first steps and for gradients that are mostly noise: where
/// signs agree with each other a step is larger, where gradients turn it is smaller, and numbers without a gradient stay. All values are
/// norms in the units of the weight. Divided by ‖W₀‖_F they are `unit_step`.
package enum StepLaw {
  /// Of W = … + s·B·A with both factors trained: |s|·√(m·‖A‖_F² + n·‖B‖_F²) for m × n. Moving one entry of A moves a row of it times a
  /// column of B, and the other way round.
  ///
  /// - Parameter rateRatio: how many times as fast as A B learns, which is LoRA+'s; B's moves are those along A.
  package static func factors(
    rows: Int, columns: Int, scaling: Double, aNorm: Double, bNorm: Double, rateRatio: Double = 1
  ) -> Double {
    abs(scaling)
      * euclideanNorm([rateRatio * Double(rows).squareRoot() * aNorm, Double(columns).squareRoot() * bNorm])
  }

  /// Of LoRA at its start, where B = 0 and A is uniform on ±1/√n, so that E‖A‖_F² = r/3: |s|·√(m·r/3).
  package static func loraStart(rows: Int, rank: Int, scaling: Double, rateRatio: Double = 1) -> Double {
    factors(
      rows: rows, columns: 0, scaling: scaling, aNorm: (Double(rank) / 3).squareRoot(), bNorm: 0, rateRatio: rateRatio)
  }

  /// Of factors B₀ = U·(Σ/s)^½ and A₀ = (Σ/s)^½·Vᵀ, whose squared norms are both Σσ/s: √(s·(m + n)·Σσ).
  package static func svdStart(rows: Int, columns: Int, scaling: Double, values: some Sequence<Double>) -> Double {
    let norm = (values.reduce(0, +) / scaling).squareRoot()
    return factors(rows: rows, columns: columns, scaling: scaling, aNorm: norm, bNorm: norm)
  }

  /// Of a weight every entry of which moves by itself: √(m·n).
  package static func entries(rows: Int, columns: Int) -> Double { (Double(rows) * Double(columns)).squareRoot() }
}

/// ‖L·R‖_F from the Gram matrices of both factors, so that the product is never formed: exact to rounding of ‖L‖_F·‖R‖_F.
func productNorm(_ left: Matrix<Double>, _ right: Matrix<Double>) -> Double {
  let (outer, inner) = (product(left.transposed, left.view), product(right.view, right.transposed))
  return max(0, zip(outer.elements, inner.elements).reduce(0) { $0 + $1.0 * $1.1 }).squareRoot()
}
