import LinearAlgebra
import Weights

/// Starts that come from the singular value decomposition of the base weight: PiSSA takes the leading part, MiLoRA the trailing.
package enum SVDStart {
  /// PiSSA's exact start, B₀ = U_r·(Σ_r/s)^½ and A₀ = (Σ_r/s)^½·V_rᵀ (Meng et al. 2024, section 3.1), from the base weight.
  ///
  /// - Parameter accuracy: receives an estimate of the distance, relative to ‖W₀‖_F, between this product and the one that
  ///   training in Float32 took: a rounding error of u·σ₁·√q turns the leading subspace by that over the gap σ_r − σ_{r+1}.
  package static func pissa(
    weight: Matrix<Double>, rank: Int, scaling: Double, format: FloatFormat, accuracy: inout Double
  ) throws(LinearAlgebraError) -> LoRAFactors {
    let svd = try singularValueDecomposition(of: weight)
    let r = min(rank, svd.values.count)
    let start = factors(of: svd, components: 0..<r, scaling: scaling, format: format)
    let last = svd.values[r - 1]
    let gap = last - (r < svd.values.count ? svd.values[r] : 0)
    let rounding = FloatFormat.float32.unitRoundoff * svd.values[0] * Double(svd.values.count).squareRoot()
    accuracy = min(1, rounding * (1 + last / max(gap, .leastNonzeroMagnitude)) / euclideanNorm(svd.values))
    return start
  }

  /// B₀ = U_c·(Σ_c/s)^½ and A₀ = (Σ_c/s)^½·V_cᵀ of the given components c, counted from 0.
  package static func factors(
    of svd: SVD<Double>, components: Range<Int>, scaling: Double, format: FloatFormat = .float32
  ) -> LoRAFactors {
    let (u, vTransposed) = (svd.u!, svd.vTransposed!)
    var b = Matrix<Double>(rows: u.rows, columns: components.count)
    var a = Matrix<Double>(rows: components.count, columns: vTransposed.columns)
    for (k, component) in components.enumerated() {
      let root = (svd.values[component] / scaling).squareRoot()
      for i in 0..<u.rows { b[i, k] = u[i, component] * root }
      for j in 0..<vTransposed.columns { a[k, j] = vTransposed[component, j] * root }
    }
    return LoRAFactors(b: b, a: a, scaling: scaling, format: format)
  }

  /// Which end of W₀'s spectrum the columns of B₀ span, if either: mean cos² above 0.9 with the leading or trailing r left
  /// vectors, where r is at most a quarter of min(rows, columns), so that chance (r/rows) stays far below.
  package static func end(spannedBy b: Matrix<Double>, of weight: Matrix<Double>) throws(LinearAlgebraError)
    -> AdapterMethod?
  {
    let q = weight.smallerDimension
    let r = b.columns
    guard 4 * r <= q, try b.frobeniusNorm() > 0 else { return nil }
    let u = try singularValueDecomposition(of: weight).u!
    let basis = try householderQR(of: b).q
    func overlap(_ range: Range<Int>) throws(LinearAlgebraError) -> Double {
      let cosines = product(basis.transposed, u.view[0..<weight.rows, range])
      let norm = try cosines.frobeniusNorm()
      return norm * norm / Double(r)
    }
    if try overlap(0..<r) > 0.9 { return .pissa }
    if try overlap(q - r..<q) > 0.9 { return .milora }
    return nil
  }

  /// True where a weight holds nothing of a start, because it is the residual W₀ − s·B₀·A₀ that the start has left: W_eff(0) is then
  /// not this weight. In W₀ itself PiSSA's and MiLoRA's directions have the size of the start.
  package static func isTaken(
    _ start: LoRAFactors, outOf weight: Matrix<Double>
  ) throws(LinearAlgebraError) -> Bool {
    let basis = try householderQR(of: start.b).q
    let held = try product(basis.transposed, weight.view).frobeniusNorm()
    return held < 0.01 * (try start.product.dense().frobeniusNorm())
  }

  /// The share of ‖W₀‖² that remains when a start is taken out, above what the best start of its rank leaves: 0 for exact PiSSA, up to
  /// rounding, and about twice the start's own share for one that has nothing to do with this weight.
  ///
  /// Holds for any basis within a nearly degenerate group of singular values.
  package static func excess(
    ofTaking start: LoRAFactors, outOf weight: Matrix<Double>
  ) throws(LinearAlgebraError) -> Double {
    let values = try singularValues(of: weight)
    let remaining = try (weight - start.product.dense()).frobeniusNorm()
    let least = euclideanNorm(Array(values.dropFirst(start.rank)))
    let total = euclideanNorm(values)
    return (remaining * remaining - least * least) / (total * total)
  }

  /// ‖round(W₀ − s·B₀·A₀) − (W₀ − s·B₀·A₀)‖_F in the base's format.
  package static func residualRoundingNorm(
    weight: Matrix<Double>, start: LoRAFactors, format: FloatFormat
  ) throws(LinearAlgebraError) -> Double {
    let residual = weight - start.product.dense()
    let errors = residual.elements.map { format.rounded($0) - $0 }
    return try Matrix(rows: weight.rows, columns: weight.columns, elements: errors).frobeniusNorm()
  }
}
