import LinearAlgebra

/// What chance gives: the share of an update's energy that W₀'s singular directions would hold if the update were the method's own
/// random choice.
package enum EnergyNull: Sendable {
  /// No direction is preferred: a share is the number of directions over the dimension.
  case isotropic
  /// The rows of every update lie in the span of these (r × columns), weighted as they are; on the output side nothing is preferred.
  case frozenRows(Matrix<Double>)
  /// diag(d)·W₀ with random d; the squared norms of W₀'s rows.
  case rowScaling([Double])
  /// W₀·diag(d) with random d; the squared norms of W₀'s columns.
  case columnScaling([Double])

  /// The expected share of the singular directions in `frame` on a side; `components` are their indices among W₀'s values.
  ///
  /// - isotropic: count/dimension.
  /// - frozen rows A, right side: ‖A·V‖_F²/‖A‖_F².
  /// - diag(d)·W₀, right side: Σσ_j²/Σσ²; left side: Σᵢ ‖U[i,:]‖²·‖W₀[i,:]‖²/‖W₀‖_F². W₀·diag(d) is the mirror image.
  package func share(
    of frame: MatrixView<Double>, _ side: Side, components: Range<Int>, basis: SpectralBasis
  ) -> Double {
    switch (self, side) {
    case (.frozenRows(let rows), .right):
      return product(rows.view, frame.transposed).squaredNorm / rows.squaredNorm
    case (.rowScaling, .right), (.columnScaling, .left):
      let total = basis.frobeniusNorm * basis.frobeniusNorm
      return components.reduce(0) { $0 + basis.values[$1] * basis.values[$1] } / total
    case (.rowScaling(let weights), .left), (.columnScaling(let weights), .right):
      return Self.weighted(frame, weights)
    case (.isotropic, _), (.frozenRows, .left):
      return Double(frame.rows) / Double(basis.dimension(side))
    }
  }

  /// Σᵢ wᵢ·Σ_j frame[j, i]² / Σ w.
  private static func weighted(_ frame: MatrixView<Double>, _ weights: [Double]) -> Double {
    var sum = 0.0
    for j in 0..<frame.rows {
      for i in 0..<frame.columns { sum += weights[i] * frame[j, i] * frame[j, i] }
    }
    return sum / weights.reduce(0, +)
  }
}
