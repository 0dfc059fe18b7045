import LinearAlgebra

/// MiLoRA (Wang et al. 2024, section 3): the trailing part of W₀ moves into the factors, the leading rest is frozen.
///
/// As PiSSA with the last r singular triplets. On disk it cannot be told from LoRA.
package struct MiLoRA<S: TransformerScalar>: FactoredWeight {
  package let pair: FactorPair<S>

  package init(weight: Matrix<S>, options: AdapterOptions) throws(LinearAlgebraError) {
    let svd = try singularValueDecomposition(of: Matrix<Double>(weight))
    let q = svd.values.count
    let start = SVDStart.factors(of: svd, components: q - options.rank..<q, scaling: options.scaling)
    pair = FactorPair(subtracting: start, from: weight)
  }
}
