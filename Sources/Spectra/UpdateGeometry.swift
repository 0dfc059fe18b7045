import Foundation
import LinearAlgebra

/// What one update is measured against: a weight, its basis, and the numbers of directions to look at.
package struct GeometryFrame: Sendable {
  package let basis: SpectralBasis
  /// Columns of the leading subspaces that are compared.
  package let k: Int
  /// The number of directions near k behind which W₀ has its largest relative gap.
  package let gapRank: Int?
  /// The first and last k vectors.
  package let ends: EndFrames
  /// True to compute what needs a decomposition of W₊: exact spectral shift, intruders, profiles.
  package let isFull: Bool
  /// The k whose subspaces of W₊ are asked for: k and `gapRank`.
  let wanted: [Int]
  /// W₀'s own leading singular vectors, as many as are wanted, in the form of those of W₊.
  package let unmoved: UpdatedSubspace

  package init(basis: SpectralBasis, k: Int, isFull: Bool) {
    self.basis = basis
    self.k = k
    ends = EndFrames(of: basis, k: k)
    gapRank = basis.gapRank(near: k)
    wanted = [k] + (gapRank.map { $0 == k ? [] : [$0] } ?? [])
    unmoved = Self.unmoved(basis, wanted)
    self.isFull = isFull
  }

  private static func unmoved(_ basis: SpectralBasis, _ wanted: [Int]) -> UpdatedSubspace {
    let count = wanted.max()!
    return UpdatedSubspace(
      values: Array(basis.values.prefix(count)), left: Matrix(basis.first(count, .left)!),
      right: Matrix(basis.first(count, .right)!),
      errors: Dictionary(
        uniqueKeysWithValues: wanted.map { j in (j, Side.allCases.map { basis.errorOfFirst(j, $0) }.max()!) }))
  }
}

/// Where W₊ = W₀ + ΔW stands relative to W₀.
package struct WeightDrift: Sendable {
  package let subspace: UpdatedSubspace
  /// All singular values of W₊, at depth full.
  package let values: [Double]?
  package let intruders: Intruders?

  /// Below this min(rows, columns) a whole decomposition costs less than anything else.
  package static let orderAlwaysDense = 96

  /// - Parameter pulled: the products of W₀ with the vectors of an update of low rank, where they are known.
  /// - Throws: `LinearAlgebraError`. Cost: a product with W₀ of the width of the update and one of that of the subspace where the basis
  ///   keeps a side whole, else a few of them, or a decomposition of W₊.
  package init(
    of update: DirectedUpdate, base: CompactMatrix, in frame: GeometryFrame, pulled: PulledVectors = PulledVectors()
  ) throws {
    let operand = UpdatedWeight(base: base, update: update)
    let gram = UpdatedGram(of: operand, basis: frame.basis, pulled: pulled)
    if !frame.isFull, let found = try Self.leading(operand, frame, gram, pulled) {
      (subspace, values, intruders) = (found, nil, nil)
      return
    }
    let looked = frame.isFull ? min(Intruders.most, frame.basis.order) : 0
    let count = max(frame.wanted.max()!, looked)
    // Small values are exact with their vectors; without them they would need another, slower decomposition.
    let refined = frame.isFull ? min(frame.k, frame.basis.order - count) : 0
    let decomposition =
      if let gram, gram.isOnShorterSide {
        try SpectralBasis(of: operand, gram: gram, of: frame.basis, leading: count, trailing: refined)
      } else {
        try SpectralBasis(of: operand, leading: count, trailing: refined)
      }
    subspace = UpdatedSubspace(of: decomposition, first: frame.wanted + (looked > 0 ? [looked] : []))
    values = frame.isFull ? decomposition.values : nil
    intruders = frame.isFull ? Intruders(of: subspace, update: update, in: frame.basis) : nil
  }

  /// The leading subspaces without a decomposition of W₊; nil where that is the better way.
  private static func leading(
    _ operand: UpdatedWeight, _ frame: GeometryFrame, _ gram: UpdatedGram?, _ pulled: PulledVectors
  ) throws -> UpdatedSubspace? {
    let start = min(frame.basis.leading, KeptVectors.leading(directions: frame.k))
    guard frame.basis.order > max(Self.orderAlwaysDense, 2 * start) else { return nil }
    if let gram {
      var iteration = UpdatedGramIteration(operand, gram, basis: frame.basis, start: start, wanted: frame.wanted)
      return try iteration.solve(tolerance: tolerance)
    }
    var iteration = RayleighRitz(
      operand, basis: frame.basis, start: start, wanted: frame.wanted, pulled: pulled[.right])
    return try iteration.solve { k, found in
      let angles = try Side.allCases.map { side in
        try principalAngles(between: frame.basis.first(k, side)!, and: found.first(k, side)).last ?? 0
      }
      return tolerance(angles.min()!)
    }
  }

  /// Half of what is promised of an angle: 1e-3 of itself or 1e-4 degrees.
  private static func tolerance(_ angle: Double) -> Double { max(5e-4 * angle, 0.5e-4 * .pi / 180) }

  /// ‖σ(W₊) − σ(W₀)‖₂/‖σ(W₀)‖₂, at most ‖ΔW‖_F/‖W₀‖_F (Mirsky 1960); nil unless all values are known.
  package func spectralShift(from basis: SpectralBasis) -> Double? {
    guard let values, basis.frobeniusNorm > 0 else { return nil }
    let moved = zip(values, basis.values).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
    return moved.squareRoot() / basis.frobeniusNorm
  }
}

/// The principal angles at k between two states of a weight, for both sides.
package struct Rotation: Equatable, Sendable {
  package var left: SubspaceAngles
  package var right: SubspaceAngles

  /// - Throws: `LinearAlgebraError`. Cost O((rows + columns)·k²).
  package init(from a: UpdatedSubspace, to b: UpdatedSubspace, k: Int) throws(LinearAlgebraError) {
    let error = a.errors[k]! + b.errors[k]!
    left = SubspaceAngles(angles: try principalAngles(between: a.first(k, .left), and: b.first(k, .left)), error: error)
    right = SubspaceAngles(
      angles: try principalAngles(between: a.first(k, .right), and: b.first(k, .right)), error: error)
  }

  /// The largest angle of both sides in degrees.
  package var largest: Double? {
    [left.largest, right.largest].compactMap(\.self).max()
  }
}

/// Where an update points relative to the leading singular directions of the pretrained weight: the angles between its own leading
/// min(k, numerical rank) singular vectors and the first k of W₀.
package struct Alignment: Equatable, Sendable {
  package var left: SubspaceAngles
  package var right: SubspaceAngles

  package init(of update: DirectedUpdate, with basis: SpectralBasis, k: Int) throws(LinearAlgebraError) {
    let count = min(k, update.values.count)
    func angles(_ vectors: Matrix<Double>, _ side: Side) throws(LinearAlgebraError) -> SubspaceAngles {
      SubspaceAngles(
        angles: try principalAngles(
          between: basis.first(k, side)!, and: vectors.view[0..<count, 0..<vectors.columns]),
        error: update.errorOfFirst(count) + basis.errorOfFirst(k, side))
    }
    left = try angles(update.left, .left)
    right = try angles(update.right, .right)
  }
}

// MARK: - Columns

extension MetricValues {
  /// What stands of the geometry whatever the update is: gaps of W₀, and τ₁ relative to them.
  package mutating func add(gapsOf frame: GeometryFrame, spectralNorm: Double, isPrevious: Bool) {
    let basis = frame.basis
    self[.gapRank] = frame.gapRank.map(Double.init)
    if let largest = basis.values.first, largest > 0 { self[.spectralRatio] = spectralNorm / largest }
    guard !isPrevious else { return }
    let gap = basis.gap(behind: frame.k)
    self[.spectralGap] = gap
    guard gap > 0 else { return }
    let ratio = spectralNorm / gap
    self[.gapRatio] = ratio
    if ratio > 0, ratio < 0.5 { self[.rotationBound] = asin(ratio / (1 - ratio)) * 180 / .pi }
  }

  /// Adds the alignment's angles in degrees and overlaps (mean cos²).
  package mutating func add(_ alignment: Alignment) {
    self[.leftAngleMin] = alignment.left.smallest
    self[.leftAngleMean] = alignment.left.mean
    self[.leftAngleMax] = alignment.left.largest
    self[.leftOverlap] = alignment.left.overlap
    self[.rightAngleMin] = alignment.right.smallest
    self[.rightAngleMean] = alignment.right.mean
    self[.rightAngleMax] = alignment.right.largest
    self[.rightOverlap] = alignment.right.overlap
    self[.alignmentError] = max(alignment.left.error, alignment.right.error) * 180 / .pi
  }

  /// Adds the angles at k.
  package mutating func add(_ rotation: Rotation) {
    self[.leftRotationMax] = rotation.left.largest
    self[.leftRotationMean] = rotation.left.mean
    self[.rightRotationMax] = rotation.right.largest
    self[.rightRotationMean] = rotation.right.mean
    self[.rotationError] = max(rotation.left.error, rotation.right.error) * 180 / .pi
  }

  /// Adds the angles at the gap.
  package mutating func add(atGap rotation: Rotation) {
    self[.leftRotationGap] = rotation.left.largest
    self[.rightRotationGap] = rotation.right.largest
    self[.rotationGapError] = max(rotation.left.error, rotation.right.error) * 180 / .pi
  }

  /// Adds what a decomposition of W₊ tells.
  package mutating func add(_ drift: WeightDrift, basis: SpectralBasis) {
    self[.spectralShift] = drift.spectralShift(from: basis)
    self[.intruderCount] = drift.intruders.map { Double($0.count) }
    self[.intruderEnergy] = drift.intruders?.energy
  }
}

extension DirectedUpdate {
  /// (Σ(u_jᵀ·ΔW·v_j)²)^½ over W₀'s first and last k singular vectors: the first-order change of those singular values.
  package func firstOrderShift(in basis: SpectralBasis, k: Int) -> Double? {
    // The two ends of a spectrum of one value are one.
    if basis.order < 2 * k {
      guard let left = basis.first(basis.order, .left), let right = basis.first(basis.order, .right) else { return nil }
      let all = core(projected(on: left, .left), right)
      return (0..<basis.order).reduce(0) { $0 + all[$1, $1] * all[$1, $1] }.squareRoot()
    }
    guard let topLeft = basis.first(k, .left), let topRight = basis.first(k, .right),
      let bottomLeft = basis.last(k, .left), let bottomRight = basis.last(k, .right)
    else { return nil }
    let cores = [
      core(projected(on: topLeft, .left), topRight), core(projected(on: bottomLeft, .left), bottomRight),
    ]
    return cores.reduce(0) { sum, core in (0..<k).reduce(sum) { $0 + core[$1, $1] * core[$1, $1] } }.squareRoot()
  }
}
