import LinearAlgebra

/// The energy of an update over the whole spectrum of W₀, in ten bins of equally many components and the null space.
package struct ProfileBin: Equatable, Sendable {
  package var side: Side
  /// 0…9 from the first components to the last; 10 is the null space.
  package var bin: Int
  /// First and last component, counted from 0; nil for the null space.
  package var components: ClosedRange<Int>?
  package var share: Double
  /// What chance gives.
  package var null: Double

  package init(side: Side, bin: Int, components: ClosedRange<Int>?, share: Double, null: Double) {
    self.side = side
    self.bin = bin
    self.components = components
    self.share = share
    self.null = null
  }

  package static let count = 10

  /// The bins of `order` components: their numbers differ by one at most, bin b begins at ⌊b·order/10⌋. Empty ones are left out.
  package static func ranges(order: Int) -> [(bin: Int, components: Range<Int>)] {
    (0..<count).compactMap { bin in
      let range = bin * order / count..<(bin + 1) * order / count
      return range.isEmpty ? nil : (bin, range)
    }
  }

  /// The profile of both sides; empty where the basis does not keep all vectors.
  package static func profile(of update: DirectedUpdate, in basis: SpectralBasis, null: EnergyNull) -> [ProfileBin] {
    guard basis.keepsAll else { return [] }
    return Side.allCases.flatMap { profile(of: update, in: basis, null: null, $0) }
  }

  private static func profile(
    of update: DirectedUpdate, in basis: SpectralBasis, null: EnergyNull, _ side: Side
  ) -> [ProfileBin] {
    let vectors = basis.vectors(side)
    guard basis.errorOfFirst(basis.order, side) <= EnergyShares.mostError else { return [] }
    let projected = update.projected(on: vectors.view, side)
    let total = update.frobeniusNorm * update.frobeniusNorm
    var bins: [ProfileBin] = ranges(order: basis.order).map { bin, range in
      let energy = range.reduce(0) { sum, i in
        let norm = projected.rowNorm(i)
        return sum + norm * norm
      }
      let frame = vectors.view[range, 0..<vectors.columns]
      return ProfileBin(
        side: side, bin: bin, components: range.lowerBound...range.upperBound - 1, share: energy / total,
        null: null.share(of: frame, side, components: range, basis: basis))
    }
    if basis.dimension(side) > basis.order {
      let (share, expected) = bins.reduce((0, 0)) { ($0.0 + $1.share, $0.1 + $1.null) }
      bins.append(
        ProfileBin(
          side: side, bin: count, components: nil, share: max(0, 1 - share), null: max(0, 1 - expected)))
    }
    return bins
  }
}
