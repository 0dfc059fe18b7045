import Foundation
import LinearAlgebra

/// Which singular vectors: those of the output side (left) or those of the input side (right).
package enum Side: String, CaseIterable, Sendable, Codable {
  case left, right
}

/// The singular values of a pretrained weight W₀ and the singular vectors of both ends of its spectrum: what every update of it is
/// held against.
package struct SpectralBasis: Sendable {
  package let rows: Int
  package let columns: Int
  /// All q = min(rows, columns) singular values, descending.
  package let values: [Double]
  /// How many of the first singular vectors are kept; q where all are.
  package let leading: Int
  /// How many of the last ones are kept beside them; 0 where all are.
  package let trailing: Int
  /// (leading + trailing) × rows: left singular vectors as rows, in the order of their values. A vector that nothing defines, because
  /// its value is zero, is zero.
  package let left: Matrix<Double>
  /// (leading + trailing) × columns.
  package let right: Matrix<Double>
  /// All vectors of the shorter side (of either one, where the matrix is square), where they are kept: in their
  /// coordinates W₊ᵀW₊ needs no product with W₀.
  package var whole: WholeSide?
  /// R of the Gram matrix RᵀR of the shorter side, rows of its upper triangle one after the other. Only where the matrix is not square
  /// and no side is kept whole: it tells how much of a vector lies outside the range of W₀.
  package let gramFactor: [Double]?
  /// ‖W₀‖_F.
  package let frobeniusNorm: Double
  /// What the vectors may be off by.
  package let error: FrameError

  /// All q singular vectors of a side of dimension q, as rows.
  package struct WholeSide: Equatable, Sendable {
    package let side: Side
    package let vectors: Matrix<Double>

    package init(side: Side, vectors: Matrix<Double>) {
      self.side = side
      self.vectors = vectors
    }
  }

  package init(
    rows: Int, columns: Int, values: [Double], leading: Int, trailing: Int, left: Matrix<Double>,
    right: Matrix<Double>, whole: WholeSide? = nil, gramFactor: [Double]?, frobeniusNorm: Double, error: FrameError
  ) {
    self.rows = rows
    self.columns = columns
    self.values = values
    self.leading = leading
    self.trailing = trailing
    self.left = left
    self.right = right
    self.whole = whole
    self.gramFactor = gramFactor
    self.frobeniusNorm = frobeniusNorm
    self.error = error
  }

  /// The basis of the transposed weight.
  package var transposed: SpectralBasis {
    SpectralBasis(
      rows: columns, columns: rows, values: values, leading: leading, trailing: trailing, left: right, right: left,
      whole: whole.map { WholeSide(side: $0.side == .left ? .right : .left, vectors: $0.vectors) },
      gramFactor: gramFactor, frobeniusNorm: frobeniusNorm, error: error)
  }

  /// min(rows, columns).
  package var order: Int { values.count }
  package var keepsAll: Bool { leading == order }

  /// The vectors of one side, as rows.
  package func vectors(_ side: Side) -> Matrix<Double> { side == .left ? left : right }

  /// The dimension of the space that a side's vectors live in.
  package func dimension(_ side: Side) -> Int { side == .left ? rows : columns }

  /// The first `count` vectors as rows; nil where fewer are kept.
  package func first(_ count: Int, _ side: Side) -> MatrixView<Double>? {
    count <= leading ? vectors(side).view[0..<count, 0..<dimension(side)] : nil
  }

  /// The last `count` vectors of the thin decomposition as rows; nil where fewer are kept.
  package func last(_ count: Int, _ side: Side) -> MatrixView<Double>? {
    let kept = leading + trailing
    guard count <= (keepsAll ? order : trailing) else { return nil }
    return vectors(side).view[kept - count..<kept, 0..<dimension(side)]
  }
}

/// How far computed singular vectors are from the true ones: what LAPACK and products of this length leave behind, with a factor to
/// spare. The worst case of rounding is larger by the square root of the dimension and does not occur (Higham and Mary 2019).
package struct FrameError: Equatable, Sendable {
  /// The norm of the error in W₀ itself that would explain them, where they come from W₀.
  package var direct: Double
  /// The norm of the error in the Gram matrix that would explain them, where they come from it.
  package var squared: Double

  package init(direct: Double, squared: Double) {
    self.direct = direct
    self.squared = squared
  }
}

extension SpectralBasis {
  /// How large the angle in radians, at most π/2, between the computed span of the first `count` vectors of a side and the true one
  /// can be, given `error`
  /// (Davis and Kahan 1970; Yu, Wang and Samworth 2015): twice the error over the gap behind them. 0 for all of them, where the
  /// side has no null space.
  package func errorOfFirst(_ count: Int, _ side: Side) -> Double { error(behind: count, side) }

  /// The same for the last `count` vectors. On the longer side they border on the null space as well.
  package func errorOfLast(_ count: Int, _ side: Side) -> Double {
    let bordering = error(behind: order - count, side)
    guard dimension(side) > order, let last = values.last else { return bordering }
    guard last > 0 else { return .pi / 2 }
    // An image leans on those of vectors that are not kept: by their part in the vector, times their value over its own.
    let above = count < order ? values[order - count - 1] : last
    let leaking = asin(min(1, 2 * backwardError(near: last) / last))
    return min(.pi / 2, bordering * max(1, above / last).squareRoot() + leaking)
  }

  private func error(behind count: Int, _ side: Side) -> Double {
    guard count > 0 else { return 0 }
    let next = count < order ? values[count] : 0
    if count == order, dimension(side) == order { return 0 }
    let (value, gap) = (values[count - 1], values[count - 1] - next)
    guard gap > 0 else { return .pi / 2 }
    // The vectors of the longer side follow from the others, with the errors of both.
    let factor: Double = dimension(side) > order ? 4 : 2
    return asin(min(1, factor * backwardError(near: (value + next) / 2) / gap))
  }

  /// The error in W₀ that explains the vectors of values near `value`: an error in the Gram matrix is one of 2·value·(error in W₀).
  private func backwardError(near value: Double) -> Double {
    error.direct + (error.squared > 0 ? error.squared / (2 * value) : 0)
  }

  /// γ_k = σ_k − σ_{k+1}, with σ_{q+1} = 0.
  package func gap(behind k: Int) -> Double { values[k - 1] - (k < order ? values[k] : 0) }

  /// The j in [⌈k/2⌉, min(2k, q − 1)] with the largest relative gap (σ_j − σ_{j+1})/σ_j, the smallest such j; nil where the range is
  /// empty or σ_j is zero throughout.
  ///
  /// A subspace is only as well defined as the gap behind it, and k itself seldom stands at one.
  package func gapRank(near k: Int) -> Int? {
    let range = (k + 1) / 2...max((k + 1) / 2, min(2 * k, order - 1))
    guard min(2 * k, order - 1) >= (k + 1) / 2 else { return nil }
    var best: (j: Int, gap: Double)?
    for j in range where j >= 1 && values[j - 1] > 0 {
      let relative = gap(behind: j) / values[j - 1]
      if relative > best?.gap ?? 0 { best = (j, relative) }
    }
    return best?.j
  }
}
