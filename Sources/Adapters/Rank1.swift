import LinearAlgebra

/// LoRA of rank 1, with the scaling that LoRA has by default, so that the two differ in rank alone.
package enum TrainedRank1: TrainedMethod {
  package static let method = AdapterMethod.rank1
  package static let fixedRank: Int? = 1
  package static let defaultAlpha = TrainedLoRA.defaultAlpha / Double(TrainedLoRA.defaultRank)

  package static func adapting<S: TransformerScalar>(
    _ layer: LayerToAdapt<S>, options: ResolvedAdapterOptions, generator: inout SeededGenerator
  ) throws(LinearAlgebraError) -> any AdaptedWeight<S> {
    LoRA(weight: layer.weight, rank: options.rank, scaling: options.ratio, generator: &generator)
  }
}
