import LinearAlgebra

/// LoRA-FA (Zhang et al. 2023) with PEFT's optimiser: A stays as it was drawn, and B moves along s⁻²·∂B·(A·Aᵀ + 1e-8·I)⁻¹, for which the
/// change of s·B·A is nearest to the whole weight's gradient. On disk it is LoRA; its rows stay in the span of A's.
package struct LoRAFA<S: TransformerScalar>: FactoredWeight {
  package let pair: FactorPair<S>
  package let rateFactors = (a: 0.0, b: 1.0)
  /// s⁻²·(A·Aᵀ + 1e-8·I)⁻¹, r × r. A is frozen, and so is this.
  private let preconditioner: Matrix<S>

  init(pair: FactorPair<S>) throws(LinearAlgebraError) {
    self.pair = pair
    let a = Matrix<Double>(pair.a)
    var gram = product(a.view, a.transposed)
    for i in 0..<gram.rows { gram[i, i] += 1e-8 }
    // Symmetric and positive definite, so that the inverse is V·Σ⁻¹·Uᵀ.
    let svd = try singularValueDecomposition(of: gram)
    let weight = 1 / (pair.scaling * pair.scaling)
    let scaled = svd.vTransposed!.transposedCopy().scalingColumns(by: svd.values.map { weight / $0 })
    preconditioner = Matrix<S>(product(scaled.view, svd.u!.transposed))
  }

  package func precondition(_ gradient: UnsafeMutablePointer<S>) {
    let (r, offset) = (pair.a.rows, pair.a.elements.count)
    let given = Array(UnsafeBufferPointer(start: gradient + offset, count: rows * r))
    S.gemm(false, false, rows, r, r, 1, given, r, preconditioner.elements, r, 0, gradient + offset, r)
  }
}

package enum TrainedLoRAFA: TrainedMethod {
  package static let method = AdapterMethod.loraFA
  package static let optimizer = OptimizerConvention.transformers

  package static func adapting<S: TransformerScalar>(
    _ layer: LayerToAdapt<S>, options: ResolvedAdapterOptions, generator: inout SeededGenerator
  ) throws(LinearAlgebraError) -> any AdaptedWeight<S> {
    let start = LoRA(weight: layer.weight, rank: options.rank, scaling: options.ratio, generator: &generator)
    return try LoRAFA(pair: start.pair)
  }
}
