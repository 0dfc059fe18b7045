import Foundation
import LinearAlgebra
import Spectra
import Testing

/// The basis of a weight against LAPACK's dense decomposition, on spectra that are hard.
@Suite struct SpectralBasisTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let rows: Int
    let columns: Int
    let spectrum: String
    var testDescription: String { "\(rows) × \(columns) \(spectrum)" }

    static let all = [(60, 40), (40, 60), (50, 50), (1, 30), (30, 1), (7, 5)].flatMap { rows, columns in
      Samples.spectra.map { Case(rows: rows, columns: columns, spectrum: $0) }
    }
  }

  private func sample(_ test: Case) throws -> Matrix<Double> {
    var random = SeededGenerator(seed: UInt64(test.rows * 1000 + test.columns))
    let values = Samples.spectrum(test.spectrum, min(test.rows, test.columns))
    return try Samples.matrix(test.rows, test.columns, values: values, &random)
  }

  /// A value is right to 1e-5 of itself above 1e-6 σ₁, and to rounding below.
  @Test(arguments: Case.all) func everyValueIsRight(test: Case) throws {
    let matrix = try sample(test)
    let basis = try SpectralBasis(of: matrix, leading: min(3, basisOrder(test)), trailing: 0)
    let exact = try Samples.exact(matrix)
    let floor = 64 * 0x1p-53 * (exact.values.first ?? 0) * Double(basis.order).squareRoot()
    for (value, truth) in zip(basis.values, exact.values) {
      #expect(abs(value - truth) <= 1e-5 * truth + floor, "\(value), expected \(truth)")
    }
    let norm = exact.values.reduce(0) { $0 + $1 * $1 }.squareRoot()
    #expect(abs(basis.frobeniusNorm - norm) <= 1e-13 * norm)
  }

  private func basisOrder(_ test: Case) -> Int { min(test.rows, test.columns) }

  /// Kept vectors are orthonormal, and span what LAPACK's span, to within what the basis says of them and LAPACK's own error.
  @Test(arguments: Case.all) func theEndsAreThoseOfTheDenseDecomposition(test: Case) throws {
    let matrix = try sample(test)
    let order = basisOrder(test)
    let (top, bottom) = (min(4, order), min(2, max(0, order - 4)))
    let basis = try SpectralBasis(of: matrix, leading: top, trailing: bottom)
    let exact = try Samples.exact(matrix)
    for side in Side.allCases {
      let (own, theirs) = (basis.vectors(side), side == .left ? exact.left : exact.right)
      for k in 1...top {
        let bound = basis.errorOfFirst(k, side) + lapackError(exact.values, behind: k)
        let angle = try principalAngles(between: basis.first(k, side)!, and: Samples.rows(theirs, 0..<k)).last!
        #expect(angle <= bound, "first \(k) \(side): \(angle) above \(bound)")
      }
      if bottom > 0 {
        let bound = basis.errorOfLast(bottom, side) + lapackError(exact.values, behind: order - bottom)
        let angle = try principalAngles(
          between: basis.last(bottom, side)!, and: Samples.rows(theirs, order - bottom..<order)
        ).last!
        #expect(angle <= bound, "last \(bottom) \(side): \(angle) above \(bound)")
      }
      for i in 0..<own.rows {
        for j in 0...i {
          let dot = (0..<own.columns).reduce(0) { $0 + own[i, $1] * own[j, $1] }
          // A vector that nothing defines is zero.
          let expected = i == j && own.rowNorm(i) > 0 ? 1.0 : 0.0
          #expect(abs(dot - expected) <= 1e-12, "\(side) \(i) \(j): \(dot)")
        }
      }
    }
  }

  private func lapackError(_ values: [Double], behind k: Int) -> Double {
    let gap = values[k - 1] - (k < values.count ? values[k] : 0)
    return gap > 0 ? min(.pi / 2, 100 * 0x1p-53 * values[0] * 8 / gap) : .pi / 2
  }

  /// All vectors together reproduce the matrix: ‖U·diag(σ)·Vᵀ − W‖ is of the order of rounding.
  @Test(arguments: Case.all.filter { ["slow", "falling"].contains($0.spectrum) })
  func allVectorsReproduceTheMatrix(test: Case) throws {
    let matrix = try sample(test)
    let basis = try SpectralBasis(of: matrix, keeping: KeptVectors(directions: 2))
    #expect(basis.keepsAll)
    var scaled = basis.left.transposedCopy()
    scaled.scaleColumns(by: basis.values)
    let error = try (product(scaled, basis.right) - matrix).frobeniusNorm()
    #expect(error <= 1e-13 * basis.frobeniusNorm * Double(basis.order), "\(error)")
  }

  /// What lies outside the range follows from the Gram factor, and from all vectors of the shorter side, as from all vectors.
  @Test(arguments: [(60, 40), (40, 60)]) func theNullSpaceIsToldWithoutAllVectors(rows: Int, columns: Int) throws {
    let matrix = try sample(Case(rows: rows, columns: columns, spectrum: "slow"))
    var random = SeededGenerator(seed: 5)
    let update = try DirectedUpdate(
      LowRankProduct(
        left: random.normalMatrix(rows: rows, columns: 3), right: random.normalMatrix(rows: 3, columns: columns)))
    let whole = try SpectralBasis(of: matrix, keeping: KeptVectors(directions: 2))
    let a = EnergyShares(of: update, at: EndFrames(of: whole, k: 2))
    #expect((a.leftNull != nil) == (rows > columns) && (a.rightNull != nil) == (columns > rows))
    for keepsSide in [false, true] {
      let ends = try SpectralBasis(
        of: matrix, leading: 4, trailing: 2, keepsSide: keepsSide, tellsNullSpace: !keepsSide)
      #expect((ends.whole != nil) == keepsSide && (ends.gramFactor != nil) != keepsSide)
      var pulled = PulledVectors()
      pulled.add(update, to: rows > columns ? .right : .left, by: CompactMatrix(matrix), in: ends)
      let b = EnergyShares(of: update, at: EndFrames(of: ends, k: 2), pulled: pulled)
      #expect(abs((a.leftNull ?? 0) - (b.leftNull ?? 0)) < 1e-10)
      #expect(abs((a.rightNull ?? 0) - (b.rightNull ?? 0)) < 1e-10)
      #expect(EnergyShares(of: update, at: EndFrames(of: ends, k: 2)).leftNull == nil)
    }
  }

  /// All vectors of the shorter side are orthonormal and diagonalise the Gram matrix; the ends are among them.
  @Test(arguments: Case.all) func aWholeSideIsTheEigenbasisOfTheGramMatrix(test: Case) throws {
    let matrix = try sample(test)
    let order = basisOrder(test)
    let basis = try SpectralBasis(
      of: matrix, leading: min(2, order), trailing: min(2, max(0, order - 2)), keepsSide: true)
    let whole = try #require(basis.whole)
    #expect(whole.side == (test.rows >= test.columns ? .right : .left) && whole.vectors.rows == order)
    let gram = product(whole.vectors.view, whole.vectors.transposed)
    let images =
      whole.side == .right
      ? product(matrix.view, whole.vectors.transposed).transposedCopy() : product(whole.vectors, matrix)
    let squares = product(images.view, images.transposed)
    let largest = basis.values[0] * basis.values[0]
    let allowed = max(basis.error.squared, 2 * basis.values[0] * basis.error.direct) + 64 * 0x1p-53 * largest
    for i in 0..<order {
      for j in 0..<order {
        #expect(abs(gram[i, j] - (i == j ? 1 : 0)) < 1e-12)
        let expected = i == j ? basis.values[i] * basis.values[i] : 0
        #expect(abs(squares[i, j] - expected) <= allowed, "\(i), \(j): \(squares[i, j]), expected \(expected)")
      }
    }
    #expect(basis.vectors(whole.side).elements.prefix(order) == whole.vectors.elements.prefix(order))
    #expect(basis.transposed.whole?.side != whole.side && basis.transposed.whole?.vectors == whole.vectors)
  }

  @Test func theGapNearKIsTheLargestRelativeOne() throws {
    var random = SeededGenerator(seed: 1)
    let values = [10, 9.9, 9.8, 9.7, 5, 4.9, 4.8, 1, 0.9, 0.8]
    let basis = try SpectralBasis(of: Samples.matrix(12, 10, values: values, &random), leading: 10, trailing: 0)
    // j in [2, 8]: the gaps behind 4 (0.48) and 7 (0.79).
    #expect(basis.gapRank(near: 4) == 7)
    // j in [1, 4] and in [2, 6].
    #expect(basis.gapRank(near: 2) == 4 && basis.gapRank(near: 3) == 4)
    // j in [1, 2]: (10 − 9.9)/10 is less than (9.9 − 9.8)/9.9.
    #expect(basis.gapRank(near: 1) == 2)
    #expect(abs(basis.gap(behind: 4) - 4.7) < 1e-12 && abs(basis.gap(behind: 10) - 0.8) < 1e-12)
  }

  @Test func theTransposedWeightHasTheTransposedBasis() throws {
    let matrix = try sample(Case(rows: 60, columns: 40, spectrum: "slow"))
    let (a, b) = (
      try SpectralBasis(of: matrix, leading: 5, trailing: 3).transposed,
      try SpectralBasis(of: matrix.transposedCopy(), leading: 5, trailing: 3)
    )
    #expect(a.rows == b.rows && a.columns == b.columns)
    for (x, y) in zip(a.values, b.values) { #expect(abs(x - y) < 1e-13) }
    #expect(try principalAngles(between: a.first(5, .left)!, and: b.first(5, .left)!).last! < 1e-12)
    #expect(try principalAngles(between: a.last(3, .right)!, and: b.last(3, .right)!).last! < 1e-11)
  }
}
