import LinearAlgebra
import OrderedCollections
import Weights

/// PiSSA (Meng, Wang and Zhang 2024, section 3): the leading part of W₀ moves into the factors, the rest is frozen.
///
/// W_eff = (W₀ − s·B₀·A₀) + s·B·A with B₀ = U_r·(Σ_r/s)^½ and A₀ = (Σ_r/s)^½·V_rᵀ. On disk it has LoRA's tensors.
package struct PiSSA<S: TransformerScalar>: FactoredWeight {
  package let pair: FactorPair<S>

  /// Decomposes the weight: exactly, or by the randomised iteration of PEFT's `pissa_niter_k`, whose subspace need not be the leading
  /// one; the generator is then advanced.
  package init(
    weight: Matrix<S>, options: ResolvedAdapterOptions, generator: inout SeededGenerator
  ) throws(LinearAlgebraError) {
    let exact = Matrix<Double>(weight)
    let svd =
      if let iterations = options.options.pissaIterations {
        try randomizedSVD(of: exact, rank: options.rank, iterations: iterations, generator: &generator)
      } else {
        try singularValueDecomposition(of: exact)
      }
    let start = SVDStart.factors(of: svd, components: 0..<options.rank, scaling: options.ratio)
    pair = FactorPair(subtracting: start, from: weight)
  }
}

package enum TrainedPiSSA: TrainedMethod {
  package static let method = AdapterMethod.pissa

  /// By an exact decomposition the start can be found again from the base; by a randomised one it cannot, and its name must say so.
  package static func peftMembers(of adapter: ExportedAdapter) -> PEFTMembers {
    let iterations = adapter.configuration["pissa_iterations"]?.int
    let start = iterations.map { JSONValue.string("pissa_niter_\($0)") } ?? "pissa"
    return loraMembers(of: adapter).merging(["init_lora_weights": start]) { $1 }
  }

  package static let startsInSingularValues = true

  /// With the first r singular values; those that `pissa_niter_k` finds are a little smaller.
  package static func startStepNorm(_ layer: PlannedLayer, _ options: ResolvedAdapterOptions) -> Double? {
    StepLaw.svdStart(
      rows: layer.rows, columns: layer.columns, scaling: options.ratio,
      values: layer.singularValues.prefix(options.rank))
  }

  package static func adapting<S: TransformerScalar>(
    _ layer: LayerToAdapt<S>, options: ResolvedAdapterOptions, generator: inout SeededGenerator
  ) throws(LinearAlgebraError) -> any AdaptedWeight<S> {
    try PiSSA(weight: layer.weight, options: options, generator: &generator)
  }
}
