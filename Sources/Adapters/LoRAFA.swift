import LinearAlgebra

/// LoRA-FA (Zhang et al. 2023) with PEFT's optimiser: A stays as it was drawn, and B moves along s⁻²·∂B·(A·Aᵀ + 1e-8·I)⁻¹, for which the
/// change of s·B·A is nearest to the whole weight's gradient. On disk it is LoRA; its rows stay in the span of A's.
package struct LoRAFA<S: TransformerScalar>: FactoredWeight {
  package let pair: FactorPair<S>
  package let rateFactors = (a: 0.0, b: 1.0)

  package func precondition(
    _ gradient: UnsafeMutablePointer<S>, _ parameters: UnsafePointer<S>
  ) throws(LinearAlgebraError) {
    let (r, offset) = (pair.a.rows, pair.a.elements.count)
    let a = Matrix<S>(rows: r, columns: columns, elements: Array(UnsafeBufferPointer(start: parameters, count: offset)))
    let inverse = Matrix<S>(try Self.inverseGram(of: Matrix<Double>(a), scaling: pair.scaling))
    let given = Array(UnsafeBufferPointer(start: gradient + offset, count: rows * r))
    S.gemm(false, false, rows, r, r, 1, given, r, inverse.elements, r, 0, gradient + offset, r)
  }

  /// s⁻²·(A·Aᵀ + 1e-8·I)⁻¹, r × r, in Float64.
  private static func inverseGram(of a: Matrix<Double>, scaling: Double) throws(LinearAlgebraError) -> Matrix<Double> {
    var gram = product(a.view, a.transposed)
    for i in 0..<gram.rows { gram[i, i] += 1e-8 }
    // Symmetric and positive definite, so that the inverse is V·Σ⁻¹·Uᵀ.
    let svd = try singularValueDecomposition(of: gram)
    let inverses = svd.values.map { 1 / (scaling * scaling * $0) }
    return product(svd.vTransposed!.transposedCopy().scalingColumns(by: inverses).view, svd.u!.transposed)
  }
}

package enum TrainedLoRAFA: TrainedMethod {
  package static let method = AdapterMethod.loraFA
  package static let optimizer = OptimizerConvention.transformers
  package static let preconditions = true

  /// What Adam is given has been mixed by A's Gram matrix: how far a step goes depends on the gradient, and not on the adapter alone.
  package static func startStepNorm(_ layer: PlannedLayer, _ options: ResolvedAdapterOptions) -> Double? { nil }

  package static let reasonWithoutStepLaw: String? =
    "A is frozen and B's gradient is mixed by A's Gram matrix before Adam is given it, so that the size of a step depends on the gradient"

  package static func adapting<S: TransformerScalar>(
    _ layer: LayerToAdapt<S>, options: ResolvedAdapterOptions, generator: inout SeededGenerator
  ) throws(LinearAlgebraError) -> any AdaptedWeight<S> {
    let start = LoRA(weight: layer.weight, rank: options.rank, scaling: options.ratio, generator: &generator)
    return LoRAFA(pair: start.pair)
  }
}
