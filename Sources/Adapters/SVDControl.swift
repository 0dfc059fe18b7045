import LinearAlgebra

/// Which singular directions of W₀ the factors of `svd` begin in.
package enum SVDDirections: String, CaseIterable, Sendable {
  /// The first r, the r in the middle of the spectrum, the last r.
  case top, middle, bottom
  /// Orthonormal columns drawn at random, which have nothing to do with W₀.
  case random
}

/// With which singular values they begin.
package enum SVDMagnitudes: String, CaseIterable, Sendable {
  /// The first r of W₀'s, the r in the middle, the last r.
  case top, middle, bottom
  /// 1, whatever W₀'s are.
  case unit
}

/// The control experiments of PiSSA and MiLoRA: B₀ = U_c·(S/s)^½ and A₀ = (S/s)^½·V_cᵀ with directions and magnitudes chosen apart, over
/// W₀ − s·B₀·A₀. Top and top is PiSSA, bottom and bottom MiLoRA.
package struct SVDControl<S: TransformerScalar>: FactoredWeight {
  package let pair: FactorPair<S>
}

package enum TrainedSVD: TrainedMethod {
  package static let method = AdapterMethod.svd

  package static let startsInSingularValues = true

  /// The directions make no difference to the size.
  package static func startStepNorm(_ layer: PlannedLayer, _ options: ResolvedAdapterOptions) -> Double? {
    StepLaw.svdStart(
      rows: layer.rows, columns: layer.columns, scaling: options.ratio,
      values: magnitudes(options.options.magnitudes, of: layer.singularValues, rank: options.rank))
  }

  package static func adapting<S: TransformerScalar>(
    _ layer: LayerToAdapt<S>, options: ResolvedAdapterOptions, generator: inout SeededGenerator
  ) throws(LinearAlgebraError) -> any AdaptedWeight<S> {
    var svd = try singularValueDecomposition(of: Matrix<Double>(layer.weight))
    let (q, r) = (svd.values.count, options.rank)
    let values = magnitudes(options.options.magnitudes, of: svd.values, rank: r)
    let components: Range<Int>
    switch options.options.directions {
    case .top: components = 0..<r
    case .middle: components = middle(q, r)
    case .bottom: components = q - r..<q
    case .random:
      components = 0..<r
      svd.u = try orthonormal(rows: svd.u!.rows, columns: r, &generator)
      svd.vTransposed = try orthonormal(rows: svd.vTransposed!.columns, columns: r, &generator).transposedCopy()
    }
    svd.values.replaceSubrange(components, with: values)
    let start = SVDStart.factors(of: svd, components: components, scaling: options.ratio)
    return SVDControl(pair: FactorPair(subtracting: start, from: layer.weight))
  }

  /// The r singular values that the factors begin with.
  private static func magnitudes(_ choice: SVDMagnitudes, of values: [Double], rank r: Int) -> [Double] {
    switch choice {
    case .top: Array(values.prefix(r))
    case .middle: Array(values[middle(values.count, r)])
    case .bottom: Array(values.suffix(r))
    case .unit: Array(repeating: 1, count: r)
    }
  }

  /// The r components in the middle of q.
  private static func middle(_ q: Int, _ r: Int) -> Range<Int> {
    let first = min(max(0, q / 2 - r / 2), q - r)
    return first..<first + r
  }

  private static func orthonormal(
    rows: Int, columns: Int, _ generator: inout SeededGenerator
  ) throws(LinearAlgebraError) -> Matrix<Double> {
    try householderQR(of: generator.normalMatrix(rows: rows, columns: columns)).q
  }
}
