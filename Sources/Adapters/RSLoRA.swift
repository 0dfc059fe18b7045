import LinearAlgebra

/// rsLoRA (Kalajdzievski 2023, section 3): LoRA with s = α/√r, so that the size of a step does not fall with the rank.
package enum TrainedRSLoRA: TrainedMethod {
  package static let method = AdapterMethod.rslora

  package static func scaling(_ options: ResolvedAdapterOptions) -> Double? {
    options.alpha / Double(options.rank).squareRoot()
  }

  package static func peftMembers(of adapter: ExportedAdapter) -> PEFTMembers {
    loraMembers(of: adapter, usesRSLoRA: true)
  }

  package static func adapting<S: TransformerScalar>(
    _ layer: LayerToAdapt<S>, options: ResolvedAdapterOptions, generator: inout SeededGenerator
  ) throws(LinearAlgebraError) -> any AdaptedWeight<S> {
    LoRA(weight: layer.weight, rank: options.rank, scaling: scaling(options)!, generator: &generator)
  }
}
