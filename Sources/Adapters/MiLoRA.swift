import LinearAlgebra

/// MiLoRA (Wang et al. 2024, section 3): the trailing part of W₀ moves into the factors, the leading rest is frozen.
///
/// As PiSSA with the last r singular triplets. On disk it cannot be told from LoRA.
package struct MiLoRA<S: TransformerScalar>: FactoredWeight {
  package let pair: FactorPair<S>

  package init(weight: Matrix<S>, rank: Int, scaling: Double) throws(LinearAlgebraError) {
    let svd = try singularValueDecomposition(of: Matrix<Double>(weight))
    let q = svd.values.count
    let start = SVDStart.factors(of: svd, components: q - rank..<q, scaling: scaling)
    pair = FactorPair(subtracting: start, from: weight)
  }
}

package enum TrainedMiLoRA: TrainedMethod {
  package static let method = AdapterMethod.milora

  package static let startsInSingularValues = true

  /// With the last r singular values. The factors are so small that they grow within some steps, and the steps with them.
  package static func startStepNorm(_ layer: PlannedLayer, _ options: ResolvedAdapterOptions) -> Double? {
    StepLaw.svdStart(
      rows: layer.rows, columns: layer.columns, scaling: options.ratio,
      values: layer.singularValues.suffix(options.rank))
  }

  package static func adapting<S: TransformerScalar>(
    _ layer: LayerToAdapt<S>, options: ResolvedAdapterOptions, generator: inout SeededGenerator
  ) throws(LinearAlgebraError) -> any AdaptedWeight<S> {
    try MiLoRA(weight: layer.weight, rank: options.rank, scaling: options.ratio)
  }
}
