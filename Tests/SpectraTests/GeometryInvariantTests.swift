import Foundation
import LinearAlgebra
import Spectra
import Testing

/// What holds of the geometry of every update: bounds of Mirsky, Weyl and Wedin, sums, gauges, transposition.
@Suite struct GeometryInvariantTests {
  private struct Sample {
    let base: Matrix<Double>
    let change: Matrix<Double>
    let update: DirectedUpdate
    let basis: SpectralBasis
    let frame: GeometryFrame
    let drift: WeightDrift

    init(seed: UInt64, _ rows: Int = 60, _ columns: Int = 45, size: Double, transposed: Bool = false) throws {
      var random = SeededGenerator(seed: seed)
      var base = try Samples.matrix(rows, columns, values: Samples.spectrum("slow", min(rows, columns)), &random)
      let b: Matrix<Double> = random.normalMatrix(rows: rows, columns: 4)
      let a: Matrix<Double> = random.normalMatrix(rows: 4, columns: columns)
      var factors = LowRankProduct(left: b.scaled(by: size / 20), right: a)
      if transposed {
        base = base.transposedCopy()
        factors = LowRankProduct(left: factors.right.transposedCopy(), right: factors.left.transposedCopy())
      }
      self.base = base
      change = factors.dense()
      update = try DirectedUpdate(factors)
      basis = try SpectralBasis(of: base, keeping: KeptVectors(directions: 4))
      frame = GeometryFrame(basis: basis, k: 4, isFull: true)
      drift = try WeightDrift(of: update, base: CompactMatrix(base), in: frame)
    }
  }

  @Test(arguments: [1, 2, 3] as [UInt64], [1e-6, 1e-3, 0.1, 3]) func boundsHold(seed: UInt64, size: Double) throws {
    let sample = try Sample(seed: seed, size: size)
    let shift = try #require(sample.drift.spectralShift(from: sample.basis))
    // Mirsky 1960.
    #expect(shift <= sample.update.frobeniusNorm / sample.basis.frobeniusNorm * (1 + 1e-9) + 1e-14)
    // Weyl 1912.
    for (moved, value) in zip(sample.drift.values!, sample.basis.values) {
      #expect(abs(moved - value) <= sample.update.spectralNorm * (1 + 1e-12) + 1e-13)
    }
    // Wedin 1972.
    var metrics = MetricValues()
    metrics.add(gapsOf: sample.frame, spectralNorm: sample.update.spectralNorm, isPrevious: false)
    let rotation = try Rotation(from: sample.frame.unmoved, to: sample.drift.subspace, k: 4)
    if let bound = metrics[.rotationBound] {
      for side in [rotation.left, rotation.right] { #expect(side.angles.last! * 180 / .pi <= bound * (1 + 1e-9)) }
    }
    #expect((metrics[.rotationBound] == nil) == (metrics[.gapRatio]! >= 0.5))
  }

  @Test(arguments: [(60, 45), (45, 60), (50, 50)]) func sharesSumToOne(rows: Int, columns: Int) throws {
    let sample = try Sample(seed: 5, rows, columns, size: 0.01)
    for null in [EnergyNull.isotropic, .rowScaling(CompactMatrix(sample.base).squaredNorms().rows)] {
      let profile = ProfileBin.profile(of: sample.update, in: sample.basis, null: null)
      for side in Side.allCases {
        let bins = profile.filter { $0.side == side }
        #expect(bins.count == (sample.basis.dimension(side) > sample.basis.order ? 11 : 10))
        #expect(abs(bins.reduce(0) { $0 + $1.share! } - 1) < 1e-12)
        #expect(abs(bins.reduce(0) { $0 + $1.null } - 1) < 1e-12)
      }
    }
    let shares = EnergyShares(of: sample.update, at: EndFrames(of: sample.basis, k: 4))
    #expect(shares.top.both! <= min(shares.top.left!, shares.top.right!) + 1e-15)
  }

  /// B·M⁻¹ and M·A are the same update.
  @Test(arguments: [1, 1e3] as [Double]) func aGaugeChangesNothing(condition: Double) throws {
    let sample = try Sample(seed: 6, size: 0.01)
    var random = SeededGenerator(seed: 7)
    let gauge = try Samples.matrix(4, 4, values: [condition, 3, 2, 1], &random)
    let svd = try singularValueDecomposition(of: gauge)
    var inverse = svd.vTransposed!.transposedCopy()
    inverse.scaleColumns(by: svd.values.map { 1 / $0 })
    let plain = try singularValueDecomposition(of: sample.change)
    var left = Matrix(plain.u!.view[0..<60, 0..<4])
    left.scaleColumns(by: Array(plain.values.prefix(4)))
    let right = Matrix(plain.vTransposed!.view[0..<4, 0..<45])
    let written = try DirectedUpdate(
      LowRankProduct(
        left: product(left.view, product(inverse.view, svd.u!.transposed).view), right: product(gauge, right)))
    let (a, b) = (
      EnergyShares(of: sample.update, at: EndFrames(of: sample.basis, k: 4)),
      EnergyShares(of: written, at: EndFrames(of: sample.basis, k: 4))
    )
    let bound = 1e3 * condition * 0x1p-53
    #expect(abs(a.top.left! - b.top.left!) <= bound && abs(a.bottom.right! - b.bottom.right!) <= bound)
    #expect(abs(a.top.both! - b.top.both!) <= bound && abs(a.leftNull! - b.leftNull!) <= bound)
    let (x, y) = (
      try Alignment(of: sample.update, with: sample.basis, k: 4), try Alignment(of: written, with: sample.basis, k: 4)
    )
    for (p, q) in zip(x.left.angles + x.right.angles, y.left.angles + y.right.angles) { #expect(abs(p - q) <= bound) }
  }

  /// Left and right change places, and nothing else changes.
  @Test func transpositionMirrors() throws {
    let (plain, turned) = (try Sample(seed: 8, size: 0.01), try Sample(seed: 8, size: 0.01, transposed: true))
    let (a, b) = (
      EnergyShares(of: plain.update, at: EndFrames(of: plain.basis, k: 4)),
      EnergyShares(of: turned.update, at: EndFrames(of: turned.basis, k: 4))
    )
    #expect(abs(a.top.left! - b.top.right!) < 1e-13 && abs(a.bottom.right! - b.bottom.left!) < 1e-11)
    #expect(abs(a.leftNull! - b.rightNull!) < 1e-13 && a.rightNull == nil && b.leftNull == nil)
    let (r, s) = (
      try Rotation(from: plain.frame.unmoved, to: plain.drift.subspace, k: 4),
      try Rotation(from: turned.frame.unmoved, to: turned.drift.subspace, k: 4)
    )
    for (x, y) in zip(r.left.angles, s.right.angles) { #expect(abs(x - y) < 1e-11) }
    let shifts = (plain.drift.spectralShift(from: plain.basis)!, turned.drift.spectralShift(from: turned.basis)!)
    #expect(abs(shifts.0 - shifts.1) < 1e-14)
  }

  /// diag(d)·W₀ with independent d is on average the mean over one row at a time.
  @Test func theNullsOfScalingsAreExpectations() throws {
    let sample = try Sample(seed: 9, size: 0.01)
    let norms = CompactMatrix(sample.base).squaredNorms()
    let total = sample.basis.frobeniusNorm * sample.basis.frobeniusNorm
    let (u, v) = (sample.basis.first(4, .left)!, sample.basis.first(4, .right)!)
    var (left, right) = (0.0, 0.0)
    for i in 0..<60 {
      var row = Matrix<Double>(rows: 60, columns: 45)
      for j in 0..<45 { row[i, j] = sample.base[i, j] }
      left += product(u, row.view).squaredNorm
      right += product(row.view, v.transposed).squaredNorm
    }
    let null = EnergyNull.rowScaling(norms.rows)
    #expect(abs(null.share(of: u, .left, components: 0..<4, basis: sample.basis) - left / total) < 1e-12)
    #expect(abs(null.share(of: v, .right, components: 0..<4, basis: sample.basis) - right / total) < 1e-12)
    let isotropic = EnergyNull.isotropic
    #expect(isotropic.share(of: u, .left, components: 0..<4, basis: sample.basis) == 4.0 / 60)
  }

  /// Planted intruders are counted, and a basis that keeps only the ends says the same as one that keeps all, or nothing.
  @Test(arguments: [1, 2, 3, 4] as [UInt64]) func intrudersAreFound(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let base = try Samples.matrix(80, 70, values: Samples.spectrum("slow", 70), &random)
    // Two new directions above everything, and a small change.
    let change = try Samples.matrix(80, 70, values: [3, 2.5, 0.01], &random)
    let svd = try singularValueDecomposition(of: change)
    var left = Matrix(svd.u!.view[0..<80, 0..<3])
    left.scaleColumns(by: Array(svd.values.prefix(3)))
    let update = try DirectedUpdate(LowRankProduct(left: left, right: Matrix(svd.vTransposed!.view[0..<3, 0..<70])))
    let whole = try SpectralBasis(of: base, keeping: KeptVectors(directions: 4))
    let drift = try WeightDrift(
      of: update, base: CompactMatrix(base), in: GeometryFrame(basis: whole, k: 4, isFull: true))
    let found = try #require(drift.intruders)
    let cosines = product(Samples.rows(try Samples.exact(base + change).left, 0..<10), whole.left.transposed)
    let expected = (0..<10).count { j in (0..<70).allSatisfy { abs(cosines[j, $0]) < 0.5 } }
    #expect(found.count == expected && expected >= 2)
    let ends = try SpectralBasis(of: base, leading: 30, trailing: 10)
    if let told = Intruders(of: drift.subspace, update: update, in: ends) { #expect(told == found) }
  }
}
