import Foundation
import LinearAlgebra

/// The first and the last k singular vectors of W₀ on either side, one below the other: one product serves both ends.
package struct EndFrames: Sendable {
  package let basis: SpectralBasis
  package let k: Int
  /// 2k × rows, and 2k × columns.
  package var left: MatrixView<Double> { leftColumns.transposed }
  package var right: MatrixView<Double> { rightRows.view }
  /// Each lies as the factor that it is multiplied with: a left factor is tall, a right one is wide.
  private let leftColumns: Matrix<Double>
  private let rightRows: Matrix<Double>

  /// - Parameter k: at most what the basis keeps of either end.
  package init(of basis: SpectralBasis, k: Int) {
    self.basis = basis
    self.k = k
    func stacked(_ side: Side) -> Matrix<Double> {
      Matrix.stacked([Matrix(basis.first(k, side)!), Matrix(basis.last(k, side)!)])
    }
    (leftColumns, rightRows) = (stacked(.left).transposedCopy(), stacked(.right))
  }
}

/// Where an update's energy ‖ΔW‖_F² lies among W₀'s singular directions, as shares in [0, 1].
package struct EnergyShares: Equatable, Sendable {
  /// Of the first or last k directions: ‖U_kᵀ·ΔW‖², ‖ΔW·V_k‖² and ‖U_kᵀ·ΔW·V_k‖² over ‖ΔW‖².
  package struct End: Equatable, Sendable {
    package var left: Double?
    package var right: Double?
    package var both: Double?
  }

  package var top: End
  package var bottom: End
  /// What lies outside the range (left) or the row space (right) of W₀: on the longer side alone, where W₀ has a null space.
  package var leftNull: Double?
  package var rightNull: Double?

  /// A share is given to 1e-4: where the basis cannot vouch for its vectors to that angle, it is missing.
  static let mostError = 1e-4

  /// - Parameter pulled: the products of W₀ with the update's vectors, in the space of the shorter side. Without them the null space is
  ///   told only where the basis keeps all vectors.
  package init(of update: DirectedUpdate, at ends: EndFrames, pulled: PulledVectors = PulledVectors()) {
    let total = update.frobeniusNorm * update.frobeniusNorm
    let (left, right) = (update.projected(on: ends.left, .left), update.projected(on: ends.right, .right))
    func end(_ rows: Range<Int>, isTold: (Side) -> Bool) -> End {
      func part(_ projection: Matrix<Double>) -> Matrix<Double> {
        Matrix(projection.view[rows, 0..<projection.columns])
      }
      let (onLeft, onRight) = (part(left), part(right))
      func share(_ projection: Matrix<Double>) -> Double { min(1, projection.squaredNorm / total) }
      let frame = ends.right[rows, 0..<ends.right.columns]
      return End(
        left: isTold(.left) ? share(onLeft) : nil, right: isTold(.right) ? share(onRight) : nil,
        both: isTold(.left) && isTold(.right) ? share(update.core(onLeft, frame, projected: onRight)) : nil)
    }
    let (k, basis) = (ends.k, ends.basis)
    top = end(0..<k) { basis.errorOfFirst(k, $0) <= Self.mostError }
    bottom = end(k..<2 * k) { basis.errorOfLast(k, $0) <= Self.mostError }
    func outside(_ side: Side) -> Double? {
      guard basis.dimension(side) > basis.order,
        let inside = Self.inside(update, basis, side, pulled: pulled)
      else { return nil }
      return max(0, min(1, 1 - inside / total))
    }
    leftNull = outside(.left)
    rightNull = outside(.right)
  }

  /// The energy within W₀'s range on its longer side; nil where the basis cannot tell.
  private static func inside(
    _ update: DirectedUpdate, _ basis: SpectralBasis, _ side: Side, pulled: PulledVectors
  ) -> Double? {
    if basis.keepsAll {
      guard basis.errorOfFirst(basis.order, side) <= mostError else { return nil }
      return update.projected(on: basis.vectors(side).view, side).squaredNorm
    }
    // ‖P·u‖² = ‖Σ⁻¹Vᵀ·(W₀ᵀu)‖² = ‖R⁻ᵀ·(W₀ᵀu)‖² with P the projection on the range of W₀ and RᵀR = W₀ᵀW₀.
    var weighted: Matrix<Double>
    if basis.whole != nil, let last = basis.values.last, last > SpectralBasis.vectorLimit * basis.values[0] {
      guard let coordinates = pulled.coordinates, basis.errorOfFirst(basis.order, side) <= mostError else { return nil }
      weighted = coordinates
      weighted.scaleColumns(by: basis.values.map { 1 / $0 })
    } else {
      guard let factor = basis.gramFactor, let pulled = pulled[side == .left ? .right : .left] else { return nil }
      weighted = pulled.dividedFromRight(byPackedUpper: factor)
    }
    if case .factored = update.form {
      for (i, value) in update.values.enumerated() { weighted.scaleRow(i, by: value) }
    }
    return weighted.squaredNorm
  }
}

extension MetricValues {
  /// Adds shares, what chance gives for them, and their ratio.
  package mutating func add(_ shares: EnergyShares?, null: EnergyNull, basis: SpectralBasis, k: Int) {
    self[.leftEnergyTop] = shares?.top.left
    self[.rightEnergyTop] = shares?.top.right
    self[.bothEnergyTop] = shares?.top.both
    self[.leftEnergyBottom] = shares?.bottom.left
    self[.rightEnergyBottom] = shares?.bottom.right
    self[.bothEnergyBottom] = shares?.bottom.both
    self[.leftEnergyNull] = shares?.leftNull
    self[.rightEnergyNull] = shares?.rightNull
    let columns: [(Side, Metric, Metric, Metric, Metric, Metric, Metric)] = [
      (
        .left, .leftNullTop, .leftEnrichmentTop, .leftEnergyTop, .leftNullBottom, .leftEnrichmentBottom,
        .leftEnergyBottom
      ),
      (
        .right, .rightNullTop, .rightEnrichmentTop, .rightEnergyTop, .rightNullBottom, .rightEnrichmentBottom,
        .rightEnergyBottom
      ),
    ]
    for (side, nullTop, enrichmentTop, energyTop, nullBottom, enrichmentBottom, energyBottom) in columns {
      if let frame = basis.first(k, side) {
        addNull(null.share(of: frame, side, components: 0..<k, basis: basis), nullTop, energyTop, enrichmentTop)
      }
      if let frame = basis.last(k, side) {
        let components = basis.order - k..<basis.order
        addNull(
          null.share(of: frame, side, components: components, basis: basis), nullBottom, energyBottom,
          enrichmentBottom)
      }
    }
  }

  private mutating func addNull(_ share: Double, _ null: Metric, _ energy: Metric, _ enrichment: Metric) {
    self[null] = share
    if share > 0, let value = self[energy] { self[enrichment] = value / share }
  }
}
