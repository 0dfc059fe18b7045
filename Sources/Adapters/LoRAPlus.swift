import LinearAlgebra

/// LoRA+ (Hayou, Ghosh and Yu 2024, section 5): LoRA whose B learns λ times as fast as A. On disk it is LoRA.
package struct LoRAPlus<S: TransformerScalar>: FactoredWeight {
  package let pair: FactorPair<S>
  package let rateFactors: (a: Double, b: Double)
}

package enum TrainedLoRAPlus: TrainedMethod {
  package static let method = AdapterMethod.loraPlus

  /// B alone moves at first, as many times as far as the ratio says.
  package static func startStepNorm(_ layer: PlannedLayer, _ options: ResolvedAdapterOptions) -> Double? {
    StepLaw.loraStart(
      rows: layer.rows, rank: options.rank, scaling: options.ratio, rateRatio: options.options.rateRatio)
  }

  package static func adapting<S: TransformerScalar>(
    _ layer: LayerToAdapt<S>, options: ResolvedAdapterOptions, generator: inout SeededGenerator
  ) throws(LinearAlgebraError) -> any AdaptedWeight<S> {
    let start = LoRA(weight: layer.weight, rank: options.rank, scaling: options.ratio, generator: &generator)
    return LoRAPlus(pair: start.pair, rateFactors: (1, options.options.rateRatio))
  }
}
