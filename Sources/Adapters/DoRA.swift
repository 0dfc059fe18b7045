import LinearAlgebra

/// DoRA (Liu et al. 2024, section 4): W_eff = diag(m ⊘ c)·V with V = W₀ + s·B·A and c the norms of V's rows, one an output.
///
/// c is detached: it follows A and B in every forward pass, and no gradient goes through it (section 4.3), as in PEFT.
package struct DoRA<S: TransformerScalar>: AdaptedWeight {
  let direction: FactorPair<S>

  package init(weight: Matrix<S>, options: AdapterOptions, generator: inout SeededGenerator) {
    direction = LoRA(weight: weight, options: options, generator: &generator).pair
  }

  package var rows: Int { direction.frozen.rows }
  package var columns: Int { direction.frozen.columns }
  private var rank: Int { direction.a.rows }
  private var factorCount: Int { direction.a.elements.count + direction.b.elements.count }

  package var tensors: [(name: String, shape: [Int])] {
    [("lora_A", [rank, columns]), ("lora_B", [rows, rank]), ("lora_magnitude_vector", [rows])]
  }

  /// The gradients need the norms of whole rows, and with them the dense G.
  package var factorSpan: FactorSpan? { nil }

  package var start: [S] {
    direction.a.elements + direction.b.elements + Self.rowNorms(direction.frozen)
  }

  package func effectiveWeight(_ parameters: UnsafePointer<S>, into weight: UnsafeMutablePointer<S>) {
    LoRA(pair: direction).effectiveWeight(parameters, into: weight)
    let gains = gains(parameters, direction: weight)
    S.kernels.scaleRows(weight, gains, rows, columns, weight)
  }

  /// With V' = W_eff's direction: ∂L/∂V = diag(m ⊘ c)·G, and ∂L/∂mᵢ = ⟨Gᵢ, Vᵢ⟩/cᵢ.
  package func pullBack(
    _ g: UnsafePointer<S>, _ parameters: UnsafePointer<S>, into gradient: UnsafeMutablePointer<S>
  ) {
    var v = [S](repeating: 0, count: rows * columns)
    LoRA(pair: direction).effectiveWeight(parameters, into: &v)
    var norms = [S](repeating: 0, count: rows)
    var dots = norms
    S.kernels.rowNorms(v, rows, columns, &norms)
    S.kernels.rowDots(g, v, rows, columns, &dots)
    for i in 0..<rows { gradient[factorCount + i] += dots[i] / norms[i] }
    let gains = gains(parameters, direction: v)
    S.kernels.scaleRows(g, gains, rows, columns, &v)
    LoRA(pair: direction).pullBack(v, parameters, into: gradient)
  }

  package func update(from earlier: [S], to later: [S]) throws(LinearAlgebraError) -> ModuleUpdate {
    try .whole(from: effectiveMatrix(earlier), to: effectiveMatrix(later), roundings: [])
  }

  private func effectiveMatrix(_ parameters: [S]) -> Matrix<Double> {
    var weight = Matrix<S>(rows: rows, columns: columns)
    effectiveWeight(parameters, into: &weight.elements)
    return Matrix(weight)
  }

  /// m ⊘ c.
  private func gains(_ parameters: UnsafePointer<S>, direction v: UnsafePointer<S>) -> [S] {
    var gains = [S](repeating: 0, count: rows)
    S.kernels.rowNorms(v, rows, columns, &gains)
    for i in 0..<rows { gains[i] = parameters[factorCount + i] / gains[i] }
    return gains
  }

  private static func rowNorms(_ weight: Matrix<S>) -> [S] {
    var norms = [S](repeating: 0, count: weight.rows)
    S.kernels.rowNorms(weight.elements, weight.rows, weight.columns, &norms)
    return norms
  }
}
