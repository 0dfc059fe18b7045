import Foundation
import LinearAlgebra
import Spectra
import Testing

/// The leading subspaces of W₀ + ΔW by Rayleigh–Ritz against the dense decomposition: within the error that is printed, always.
@Suite struct UpdatedSubspaceTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let rows: Int
    let columns: Int
    let spectrum: String
    let terms: Int
    /// ‖ΔW‖₂ relative to ‖W₀‖₂.
    let size: Double
    let isDense: Bool
    /// The basis keeps all vectors of the shorter side.
    var keepsSide = false
    var testDescription: String {
      "\(rows) × \(columns) \(spectrum) rank \(terms) of \(size)\(isDense ? " dense" : "")\(keepsSide ? " whole side" : "")"
    }

    static let all: [Case] = [(160, 130), (130, 200), (140, 140)].flatMap { rows, columns in
      ["slow", "falling", "graded"].flatMap { spectrum in
        [1e-8, 1e-5, 1e-3, 0.05].flatMap { size in
          [(false, false), (true, false), (false, true)].map {
            Case(
              rows: rows, columns: columns, spectrum: spectrum, terms: 5, size: size, isDense: $0.0, keepsSide: $0.1)
          }
        }
      }
    }
  }

  private func update(_ test: Case, _ random: inout SeededGenerator) throws -> Matrix<Double> {
    let count = test.isDense ? min(test.rows, test.columns) : test.terms
    return try Samples.matrix(
      test.rows, test.columns, values: Samples.spectrum("slow", count).map { $0 * test.size }, &random)
  }

  private func directed(_ test: Case, _ dense: Matrix<Double>) throws -> DirectedUpdate {
    if test.isDense { return try DirectedUpdate(dense: dense, vectors: 6) }
    let svd = try singularValueDecomposition(of: dense)
    var left = Matrix(svd.u!.view[0..<dense.rows, 0..<test.terms])
    left.scaleColumns(by: Array(svd.values.prefix(test.terms)))
    return try DirectedUpdate(
      LowRankProduct(left: left, right: Matrix(svd.vTransposed!.view[0..<test.terms, 0..<dense.columns])))
  }

  @Test(arguments: Case.all) func theAnglesAreThoseOfTheDenseDecomposition(test: Case) throws {
    var random = SeededGenerator(seed: 11)
    let values = Samples.spectrum(test.spectrum, min(test.rows, test.columns))
    let base = try Samples.matrix(test.rows, test.columns, values: values, &random)
    let change = try update(test, &random)
    let directed = try directed(test, change)
    let basis = try SpectralBasis(of: base, leading: 12, trailing: 6, keepsSide: test.keepsSide)
    let frame = GeometryFrame(basis: basis, k: 6, isFull: false)
    let weight = CompactMatrix(base)
    let drift = try WeightDrift(of: directed, base: weight, in: frame)
    let (before, after) = (try Samples.exact(base), try Samples.exact(base + change))
    for k in [6, frame.gapRank].compactMap(\.self) {
      let rotation = try Rotation(from: frame.unmoved, to: drift.subspace, k: k)
      for side in Side.allCases {
        let own = side == .left ? rotation.left : rotation.right
        let truth = try principalAngles(
          between: Samples.rows(side == .left ? before.left : before.right, 0..<k),
          and: Samples.rows(side == .left ? after.left : after.right, 0..<k))
        // LAPACK's two decompositions have an error of their own.
        let gaps = min(basis.gap(behind: k), after.values[k - 1] - after.values[k])
        let bound = own.error + 200 * 0x1p-53 * values[0] / gaps
        for (found, expected) in zip(own.angles, truth) {
          #expect(abs(found - expected) <= bound, "k \(k) \(side): \(found), expected \(expected) ± \(bound)")
        }
        // What the contract promises of angles, where the gap lets it.
        #expect(own.error <= max(1e-3 * truth.last!, 1e-4 * .pi / 180) || gaps < 1e-4 * values[0], "\(own.error)")
      }
    }
  }

  /// The path for low rank, without a decomposition of W₊, is taken and bounds its error.
  @Test func rayleighRitzNeedsNoDecomposition() throws {
    var random = SeededGenerator(seed: 3)
    let base = try Samples.matrix(300, 260, values: Samples.spectrum("slow", 260), &random)
    let change = try Samples.matrix(300, 260, values: [0.01, 0.005, 0.001], &random)
    let svd = try singularValueDecomposition(of: change)
    var left = Matrix(svd.u!.view[0..<300, 0..<3])
    left.scaleColumns(by: Array(svd.values.prefix(3)))
    let update = try DirectedUpdate(
      LowRankProduct(left: left, right: Matrix(svd.vTransposed!.view[0..<3, 0..<260])))
    let basis = try SpectralBasis(of: base, leading: 16, trailing: 4)
    let weight = CompactMatrix(base)
    var iteration = RayleighRitz(
      UpdatedWeight(base: weight, update: update), basis: basis, start: 16, wanted: [4, 8],
      pulled: weight.adjointImages(of: update.left))
    let found = try #require(try iteration.solve { _, _ in 1e-9 })
    let exact = try Samples.exact(base + change)
    for k in [4, 8] {
      #expect(found.errors[k]! <= 1e-9)
      for side in Side.allCases {
        let angle = try principalAngles(
          between: found.first(k, side), and: Samples.rows(side == .left ? exact.left : exact.right, 0..<k)
        ).last!
        #expect(angle <= found.errors[k]! + 1e-11, "\(k) \(side): \(angle)")
      }
    }
    for (value, truth) in zip(found.values, exact.values) { #expect(abs(value - truth) < 1e-12) }
  }

  /// The path in the coordinates of a whole side is taken for updates small and large, and bounds its error; a basis read the other
  /// way round gives the same.
  @Test(arguments: [(300, 260), (260, 300), (280, 280)], [1e-4, 0.3]) func aWholeSideNeedsNoDecomposition(
    shape: (Int, Int), size: Double
  ) throws {
    var random = SeededGenerator(seed: 13)
    let values = Samples.spectrum("slow", min(shape.0, shape.1))
    let base = try Samples.matrix(shape.0, shape.1, values: values, &random)
    let change = try Samples.matrix(shape.0, shape.1, values: [size, size / 2, size / 10], &random)
    let svd = try singularValueDecomposition(of: change)
    var left = Matrix(svd.u!.view[0..<shape.0, 0..<3])
    left.scaleColumns(by: Array(svd.values.prefix(3)))
    let factors = LowRankProduct(left: left, right: Matrix(svd.vTransposed!.view[0..<3, 0..<shape.1]))
    let basis = try SpectralBasis(of: base, leading: 20, trailing: 8, keepsSide: true)
    let exact = try Samples.exact(base + change)
    for isTransposed in [false, true] {
      let update = try DirectedUpdate(
        isTransposed
          ? LowRankProduct(left: factors.right.transposedCopy(), right: factors.left.transposedCopy()) : factors)
      let basis = isTransposed ? basis.transposed : basis
      let operand = UpdatedWeight(base: CompactMatrix(isTransposed ? base.transposedCopy() : base), update: update)
      let gram = try #require(UpdatedGram(of: operand, basis: basis, pulled: PulledVectors()))
      var iteration = UpdatedGramIteration(operand, gram, basis: basis, start: 20, wanted: [8])
      let found = try #require(try iteration.solve { _ in 1e-9 })
      for side in Side.allCases {
        let truth = (side == .left) != isTransposed ? exact.left : exact.right
        let angle = try principalAngles(between: found.first(8, side), and: Samples.rows(truth, 0..<8)).last!
        #expect(angle <= found.errors[8]! + 1e-11 && found.errors[8]! <= 1e-9, "\(side): \(angle)")
      }
      for (value, truth) in zip(found.values, exact.values) { #expect(abs(value - truth) < 1e-12) }
    }
  }

  /// At depth full, in coordinates of a whole side: all values of W₊, and its first vectors, as LAPACK finds them.
  @Test(arguments: [(60, 45), (45, 60), (50, 50)], Samples.spectra) func theWholeSpectrumIsThatOfTheSum(
    shape: (Int, Int), spectrum: String
  ) throws {
    var random = SeededGenerator(seed: 14)
    let values = Samples.spectrum(spectrum, min(shape.0, shape.1))
    let base = try Samples.matrix(shape.0, shape.1, values: values, &random)
    let change = try Samples.matrix(shape.0, shape.1, values: [0.2, 0.05], &random)
    let svd = try singularValueDecomposition(of: change)
    var left = Matrix(svd.u!.view[0..<shape.0, 0..<2])
    left.scaleColumns(by: Array(svd.values.prefix(2)))
    let update = try DirectedUpdate(
      LowRankProduct(left: left, right: Matrix(svd.vTransposed!.view[0..<2, 0..<shape.1])))
    let basis = try SpectralBasis(of: base, leading: 12, trailing: 4, keepsSide: true)
    let frame = GeometryFrame(basis: basis, k: 4, isFull: true)
    let drift = try WeightDrift(of: update, base: CompactMatrix(base), in: frame)
    let exact = try Samples.exact(base + change)
    let floor = 64 * 0x1p-53 * exact.values[0] * Double(basis.order).squareRoot()
    for (value, truth) in zip(try #require(drift.values), exact.values) {
      #expect(abs(value - truth) <= 1e-5 * truth + floor, "\(value), expected \(truth)")
    }
    for side in Side.allCases {
      let truth = Samples.rows(side == .left ? exact.left : exact.right, 0..<4)
      let angle = try principalAngles(between: drift.subspace.first(4, side), and: truth).last!
      let gap = exact.values[3] - exact.values[4]
      #expect(angle <= drift.subspace.errors[4]! + 200 * 0x1p-53 * exact.values[0] / gap, "\(side): \(angle)")
    }
  }

  /// Equal singular values behind k leave nothing to rotate: no angle, rather than a made-up one.
  @Test func withoutAGapThereIsNoAngle() throws {
    var random = SeededGenerator(seed: 4)
    let base = try Samples.matrix(40, 30, values: Array(repeating: 1, count: 30), &random)
    let update = try DirectedUpdate(
      LowRankProduct(
        left: (random.normalMatrix(rows: 40, columns: 1) as Matrix<Double>).scaled(by: 1e-12),
        right: random.normalMatrix(rows: 1, columns: 30)))
    let basis = try SpectralBasis(of: base, keeping: KeptVectors(directions: 3))
    let frame = GeometryFrame(basis: basis, k: 3, isFull: true)
    let drift = try WeightDrift(of: update, base: CompactMatrix(base), in: frame)
    let rotation = try Rotation(from: frame.unmoved, to: drift.subspace, k: 3)
    #expect(rotation.left.largest == nil && rotation.right.mean == nil)
    #expect(EnergyShares(of: update, at: EndFrames(of: basis, k: 3)).top.left == nil)
  }

  /// Where k is half of the weight, the space is all of it.
  @Test(arguments: [(128, 128), (128, 200), (200, 128)]) func atHalfOfTheWeight(rows: Int, columns: Int) throws {
    var random = SeededGenerator(seed: 9)
    let base = try Samples.matrix(rows, columns, values: Samples.spectrum("slow", 128), &random)
    let change = try Samples.matrix(rows, columns, values: [1e-3, 5e-4], &random)
    let svd = try singularValueDecomposition(of: change)
    var left = Matrix(svd.u!.view[0..<rows, 0..<2])
    left.scaleColumns(by: Array(svd.values.prefix(2)))
    let update = try DirectedUpdate(
      LowRankProduct(left: left, right: Matrix(svd.vTransposed!.view[0..<2, 0..<columns])))
    let basis = try SpectralBasis(of: base, keeping: KeptVectors(directions: 64))
    let frame = GeometryFrame(basis: basis, k: 64, isFull: false)
    let weight = CompactMatrix(base)
    let drift = try WeightDrift(of: update, base: weight, in: frame)
    let exact = try Samples.exact(base + change)
    for side in Side.allCases {
      let truth = Samples.rows(side == .left ? exact.left : exact.right, 0..<64)
      let angle = try principalAngles(between: drift.subspace.first(64, side), and: truth).last!
      #expect(angle <= drift.subspace.errors[64]! + 1e-9, "\(side): \(angle)")
    }
  }

  /// Tied singular values of a dense update leave its leading subspace undefined.
  @Test func anUndefinedAlignmentIsMissing() throws {
    var random = SeededGenerator(seed: 10)
    let base = try Samples.matrix(40, 30, values: Samples.spectrum("slow", 30), &random)
    let tied = try Samples.matrix(40, 30, values: Array(repeating: 0.5, count: 30), &random)
    let update = try DirectedUpdate(dense: tied, vectors: 4)
    let basis = try SpectralBasis(of: base, keeping: KeptVectors(directions: 4))
    let alignment = try Alignment(of: update, with: basis, k: 4)
    #expect(alignment.left.largest == nil && alignment.right.overlap == nil)
  }
}
