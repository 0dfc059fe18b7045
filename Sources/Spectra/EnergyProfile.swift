import LinearAlgebra

/// The energy of an update over the whole spectrum of W₀, in ten bins of equally many components and the null space.
package struct ProfileBin: Equatable, Sendable {
  package var side: Side
  /// 0…9 from the first components to the last; 10 is the null space.
  package var bin: Int
  /// First and last component, counted from 0; nil for the null space.
  package var components: ClosedRange<Int>?
  /// nil for an update that is zero, and where W₀'s singular values are equal across a border of the bin.
  package var share: Double?
  /// What chance gives.
  package var null: Double

  package init(side: Side, bin: Int, components: ClosedRange<Int>?, share: Double?, null: Double) {
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

  /// The profile of both sides, of an update that is zero what chance gives alone; empty where the basis does not keep all vectors.
  package static func profile(of update: DirectedUpdate?, in basis: SpectralBasis, null: EnergyNull) -> [ProfileBin] {
    guard basis.keepsAll else { return [] }
    return Side.allCases.flatMap { profile(of: update, in: basis, null: null, $0) }
  }

  private static func profile(
    of update: DirectedUpdate?, in basis: SpectralBasis, null: EnergyNull, _ side: Side
  ) -> [ProfileBin] {
    let vectors = basis.vectors(side)
    // A border that nothing defines, within equal values, divides nothing.
    func isTold(_ border: Int) -> Bool { border == 0 || basis.errorOfFirst(border, side) <= EnergyShares.mostError }
    let shares = update.map { $0.componentShares(in: basis, side) }
    var bins: [ProfileBin] = ranges(order: basis.order).map { bin, range in
      let frame = vectors.view[range, 0..<vectors.columns]
      return ProfileBin(
        side: side, bin: bin, components: range.lowerBound...range.upperBound - 1,
        share: isTold(range.lowerBound) && isTold(range.upperBound) ? shares.map { $0[range].reduce(0, +) } : nil,
        null: null.share(of: frame, side, components: range, basis: basis))
    }
    if basis.dimension(side) > basis.order {
      let expected = bins.reduce(0) { $0 + $1.null }
      bins.append(
        ProfileBin(
          side: side, bin: count, components: nil,
          share: isTold(basis.order) ? shares.map { max(0, 1 - $0.reduce(0, +)) } : nil,
          null: max(0, 1 - expected)))
    }
    return bins
  }
}

extension DirectedUpdate {
  /// ‖u_iᵀ·ΔW‖² (left) or ‖ΔW·v_i‖² (right) over ‖ΔW‖² for every kept vector of W₀.
  fileprivate func componentShares(in basis: SpectralBasis, _ side: Side) -> [Double] {
    let projected = projected(on: basis.vectors(side).view, side)
    return (0..<projected.rows).map { row in
      let share = projected.rowNorm(row) / frobeniusNorm
      return share * share
    }
  }
}
