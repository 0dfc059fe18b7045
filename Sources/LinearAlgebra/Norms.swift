/// What a decomposition can say instead of a result.
package enum LinearAlgebraError: Error, Equatable, CustomStringConvertible {
  /// NaN or infinite entries, found before LAPACK saw them; `first` is the index of the first, row by row.
  case nonFinite(count: Int, of: Int, first: Int)
  /// Neither divide and conquer nor QR iteration converged.
  case notConverged(routine: String)

  package var description: String {
    switch self {
    case .nonFinite(let count, let total, let first):
      "\(count) of \(total) entries are NaN or infinite (the first at index \(first))"
    case .notConverged(let routine): "\(routine) did not converge"
    }
  }
}

extension Matrix {
  /// The largest absolute value of an entry; 0 for an empty matrix.
  ///
  /// - Throws: `LinearAlgebraError.nonFinite` where an entry is NaN or infinite.
  package func largestMagnitude() throws(LinearAlgebraError) -> S {
    let (largest, isFinite) = elements.withUnsafeBufferPointer { S.largestMagnitude($0) }
    guard isFinite else {
      let bad = elements.indices.filter { !elements[$0].isFinite }
      throw .nonFinite(count: bad.count, of: elements.count, first: bad[0])
    }
    return largest
  }

  /// √(Σ aᵢⱼ²), summed in Float64 after a power-of-two scaling, so that entries near the ends of the range neither
  /// overflow nor vanish. Relative error below rows·columns·2⁻⁵³.
  package func frobeniusNorm() throws(LinearAlgebraError) -> Double {
    let scale = powerOfTwoScale(for: Double(try largestMagnitude()))
    return elements.withUnsafeBufferPointer { S.sumOfSquares($0, scale: scale) }.squareRoot() / scale
  }

  /// Euclidean norms of the rows, in Float64 and scaled as `frobeniusNorm`.
  package func scaledRowNorms() throws(LinearAlgebraError) -> [Double] {
    let scale = powerOfTwoScale(for: Double(try largestMagnitude()))
    return elements.withUnsafeBufferPointer { entries in
      (0..<rows).map { i in
        S.sumOfSquares(UnsafeBufferPointer(rebasing: entries[i * columns..<(i + 1) * columns]), scale: scale)
          .squareRoot() / scale
      }
    }
  }

  /// Euclidean norms of the columns, in Float64 and scaled as `frobeniusNorm`.
  package func columnNorms() throws(LinearAlgebraError) -> [Double] {
    let scale = powerOfTwoScale(for: Double(try largestMagnitude()))
    var sums = [Double](repeating: 0, count: columns)
    elements.withUnsafeBufferPointer { entries in
      sums.withUnsafeMutableBufferPointer { S.addColumnSquares(entries, scale: scale, to: $0) }
    }
    return sums.map { $0.squareRoot() / scale }
  }
}

/// A power of two that brings `magnitude` into [1, 2), as far as it and its inverse are normal numbers; 1 for zero.
///
/// Multiplying by it is exact (short of underflow), so a scaled computation rounds as the unscaled one would have without
/// overflow or underflow.
package func powerOfTwoScale<S: Scalar>(for magnitude: S) -> S {
  guard magnitude > 0, magnitude.isFinite else { return 1 }
  let limit = S.greatestFiniteMagnitude.exponent - 3
  return S(sign: .plus, exponent: Swift.max(-limit, Swift.min(limit, -magnitude.exponent)), significand: 1)
}
