import Foundation
import LinearAlgebra

/// An update by its singular vectors, ready to be held against those of W₀. Vectors are rows.
package struct DirectedUpdate: Sendable {
  package enum Form: Sendable {
    /// All of a low-rank update: ΔW = Σ τᵢ·uᵢ·vᵢᵀ.
    case factored
    /// The update itself; its vectors are the leading ones alone.
    case dense(Matrix<Double>)
  }

  package let form: Form
  package let rows: Int
  package let columns: Int
  /// The τ that belong to the vectors, descending, none of them zero.
  package let values: [Double]
  /// p × rows, orthonormal.
  package var left: Matrix<Double> { leftVectors.value }
  /// p × columns.
  package var right: Matrix<Double> { rightVectors.value }
  /// Formed when they are first needed: energies need the small core alone.
  private let leftVectors: Lazy<Matrix<Double>>
  private let rightVectors: Lazy<Matrix<Double>>
  private let core: (factors: LowRankProduct, reduced: GramCore)?
  /// ‖ΔW‖_F.
  package let frobeniusNorm: Double
  /// An upper bound of ‖ΔW‖₂.
  package let spectralNorm: Double
  /// The value behind those that have vectors; 0 where there is none.
  private let nextValue: Double
  /// A bound on the norm of the error in ΔW that explains the error of the vectors.
  package let backwardError: Double

  /// - Parameter spectrum: of the same update, not zero.
  /// - Throws: `LinearAlgebraError`. Cost O((rows + columns)·terms²).
  package init(of update: LowRankProduct, spectrum: UpdateSpectrum) throws(LinearAlgebraError) {
    form = .factored
    (rows, columns) = (update.rows, update.columns)
    let rank = max(1, spectrum.numericalRank)
    core = spectrum.core.map { (update, $0) }
    let error: Double
    if let core = spectrum.core {
      let kept = min(rank, core.values.count)
      values = Array(core.values.prefix(kept))
      leftVectors = Lazy { core.leftVectors(of: update, kept) }
      rightVectors = Lazy { core.rightVectors(of: update, kept) }
      error = core.backwardError
    } else {
      let svd: SVD<Double>
      (svd, error) = try update.decomposition()
      let kept = min(rank, svd.values.count { $0 > 0 })
      values = Array(svd.values.prefix(kept))
      leftVectors = Lazy { Matrix(svd.u!.view[0..<update.rows, 0..<kept].transposed) }
      rightVectors = Lazy { Matrix(svd.vTransposed!.view[0..<kept, 0..<update.columns]) }
    }
    (frobeniusNorm, spectralNorm) = (spectrum.frobeniusNorm, spectrum.spectralNorm)
    nextValue = values.count < spectrum.values.count ? spectrum.values[values.count] : 0
    backwardError = error
  }

  /// - Parameter count: how many leading vectors to find.
  /// - Throws: `LinearAlgebraError`. Cost O(rows·columns·min(rows, columns)).
  package init(of update: Matrix<Double>, spectrum: UpdateSpectrum, vectors count: Int) throws {
    let count = min(count, max(1, spectrum.numericalRank), update.smallerDimension)
    let basis = try SpectralBasis(of: update, leading: count, trailing: 0)
    form = .dense(update)
    (rows, columns) = (update.rows, update.columns)
    values = Array(basis.values.prefix(count))
    leftVectors = Lazy { Matrix(basis.first(count, .left)!) }
    rightVectors = Lazy { Matrix(basis.first(count, .right)!) }
    core = nil
    (frobeniusNorm, spectralNorm) = (spectrum.frobeniusNorm, spectrum.spectralNorm)
    nextValue = values.count < spectrum.values.count ? spectrum.values[values.count] : 0
    backwardError = basis.error.direct + basis.error.squared / (2 * max(values.last ?? 0, .leastNormalMagnitude))
  }

  /// frame·ΔW for a frame of left vectors, frame·ΔWᵀ for one of right vectors, in coordinates that keep norms.
  package func projected(on frame: MatrixView<Double>, _ side: Side) -> Matrix<Double> {
    switch form {
    case .factored:
      var result = coordinates(of: frame, side)
      result.scaleColumns(by: values)
      return result
    case .dense(let update): return product(frame, side == .left ? update.view : update.transposed)
    }
  }

  /// frame·U or frame·V, the coordinates of a frame's rows in the update's own singular vectors.
  private func coordinates(of frame: MatrixView<Double>, _ side: Side) -> Matrix<Double> {
    guard let core else { return product(frame, (side == .left ? left : right).transposed) }
    return side == .left
      ? core.reduced.leftCoordinates(of: frame, core.factors, values.count)
      : core.reduced.rightCoordinates(of: frame, core.factors, values.count)
  }

  /// x·ΔW·yᵀ for rows x of outputs and y of inputs, from x's projection.
  ///
  /// - Parameter half: `projected(on: x, .left)`.
  package func core(_ half: Matrix<Double>, _ y: MatrixView<Double>) -> Matrix<Double> {
    switch form {
    case .factored: product(half.view, coordinates(of: y, .right).transposed)
    case .dense: product(half.view, y.transposed)
    }
  }

  /// The same from the projections of both.
  package func core(_ half: Matrix<Double>, _ y: MatrixView<Double>, projected other: Matrix<Double>) -> Matrix<Double>
  {
    guard case .factored = form else { return core(half, y) }
    var coordinates = other
    coordinates.scaleColumns(by: values.map { 1 / $0 })
    return product(half.view, coordinates.transposed)
  }

  /// x·ΔWᵀ: the images of the rows of x, as rows.
  package func images(of x: Matrix<Double>) -> Matrix<Double> {
    switch form {
    case .factored:
      var coordinates = product(x.view, right.transposed)
      coordinates.scaleColumns(by: values)
      return product(coordinates, left)
    case .dense(let update): return product(x.view, update.transposed)
    }
  }

  /// y·ΔW.
  package func adjointImages(of y: Matrix<Double>) -> Matrix<Double> {
    switch form {
    case .factored:
      var coordinates = product(y.view, left.transposed)
      coordinates.scaleColumns(by: values)
      return product(coordinates, right)
    case .dense(let update): return product(y, update)
    }
  }

  /// How far the span of the first `count` vectors may be from the true one, in radians (Wedin 1972).
  package func errorOfFirst(_ count: Int) -> Double {
    let gap = values[count - 1] - (count < values.count ? values[count] : nextValue)
    return gap > 0 ? asin(min(1, 2 * backwardError / gap)) : .pi / 2
  }
}

extension DirectedUpdate: MatrixSource {
  package func rectangle(rows rowRange: Range<Int>, columns columnRange: Range<Int>) -> Matrix<Double> {
    switch form {
    case .dense(let update): return update.rectangle(rows: rowRange, columns: columnRange)
    case .factored:
      var scaled = Matrix(left.view[0..<values.count, rowRange].transposed)
      scaled.scaleColumns(by: values)
      return product(scaled.view, right.view[0..<values.count, columnRange])
    }
  }
}
