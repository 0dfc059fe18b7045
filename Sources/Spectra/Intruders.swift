import LinearAlgebra

/// Intruder dimensions: leading left singular vectors of W₊ that resemble no left singular vector of W₀ (Shuttleworth et al. 2024,
/// section 3): max |cos| < ½ against all of them, among the first min(10, q).
package struct Intruders: Equatable, Sendable {
  package var count: Int
  /// Σσ̃² of the intruders over Σσ̃² of the vectors looked at.
  package var energy: Double

  /// ε of the definition.
  static let threshold = 0.5
  package static let most = 10

  /// - Parameter updated: at least the first min(10, q) vectors of W₊.
  /// - Returns: nil where the basis keeps only the ends of the spectrum and a vector in the middle could still resemble.
  package init?(of updated: UpdatedSubspace, update: DirectedUpdate, in basis: SpectralBasis) {
    let k = min(Self.most, basis.order)
    precondition(updated.values.count >= k, "intruders are looked for among the first vectors")
    let cosines = product(updated.first(k, .left), basis.left.transposed)
    let reaches = Self.reaches(updated, update, k)
    var intruders: [Int] = []
    for j in 0..<k {
      let row = (0..<cosines.columns).map { cosines[j, $0] }
      if row.contains(where: { abs($0) >= Self.threshold }) { continue }
      guard
        basis.keepsAll || Self.rulesOutMiddle(row)
          || Self.rulesOutMiddle(basis, value: updated.values[j], left: reaches.left[j], right: reaches.right[j])
      else { return nil }
      intruders.append(j)
    }
    func energy(_ indices: some Sequence<Int>) -> Double {
      indices.reduce(0) { $0 + updated.values[$1] * updated.values[$1] }
    }
    count = intruders.count
    let total = energy(0..<k)
    self.energy = total > 0 ? energy(intruders) / total : 0
  }

  /// ‖ΔWᵀy‖ and ‖ΔW·z‖ of the first k singular vectors y, z of W₊.
  private static func reaches(_ updated: UpdatedSubspace, _ update: DirectedUpdate, _ k: Int) -> (
    left: [Double], right: [Double]
  ) {
    let left = update.projected(on: updated.first(k, .left), .left)
    let right = update.projected(on: updated.first(k, .right), .right)
    return ((0..<k).map { left.rowNorm($0) }, (0..<k).map { right.rowNorm($0) })
  }

  /// True where what the known vectors hold leaves less than ε² for any other.
  private static func rulesOutMiddle(_ cosines: [Double]) -> Bool {
    1 - cosines.reduce(0) { $0 + $1 * $1 } < threshold * threshold
  }

  /// True where no value of the middle lies in the window around σ̃ outside of which a cosine cannot reach ε.
  ///
  /// From W₊z = σ̃y and W₊ᵀy = σ̃z: (σ̃² − σᵢ²)·uᵢᵀy = σ̃·uᵢᵀΔWz + σᵢ·vᵢᵀΔWᵀy, so |uᵢᵀy| ≤ (σ̃‖ΔWz‖ + σᵢ‖ΔWᵀy‖)/|σ̃² − σᵢ²|.
  private static func rulesOutMiddle(_ basis: SpectralBasis, value: Double, left: Double, right: Double) -> Bool {
    basis.values[basis.leading..<basis.order - basis.trailing].allSatisfy { sigma in
      value * right + sigma * left < threshold * abs(value * value - sigma * sigma)
    }
  }
}
