import LinearAlgebra
import Weights

/// LoHa (Hyeon-Woo et al. 2022, section 2.2) in PEFT's form: ΔW = s·(W₁ₐ·W₁ᵦ) ∘ (W₂ₐ·W₂ᵦ), entry by entry, with s = α/r; W₂ᵦ = 0 at the
/// start.
///
/// An entry-wise product of two products is itself one, of r² terms: every column of W₁ₐ times every column of W₂ₐ, entry by entry,
/// on the left, and the same of rows on the right (the face-splitting product).
package enum StoredLoHa: StoredMethod {
  package static let type = "LOHA"
  package static let method = AdapterMethod.loha
  package static let parts: Set = ["hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b", "hada_t1", "hada_t2"]
  package static let fields = ConfigurationFields(alpha: "alpha", start: "init_weights")

  package static func module(_ found: FoundTensors) throws(UnfitModule) -> AdapterFolder.Module {
    guard found.names["hada_t1"] == nil, found.names["hada_t2"] == nil else {
      throw UnfitModule("the factors of a convolution (hada_t1) are no matrices")
    }
    let left = [try found.shape("hada_w1_a"), try found.shape("hada_w2_a")]
    let right = [try found.shape("hada_w1_b"), try found.shape("hada_w2_b")]
    guard left[0] == left[1], right[0] == right[1], left[0][1] == right[0][0],
      (left[0] + right[0]).allSatisfy({ $0 > 0 })
    else {
      throw UnfitModule("hada_w1 of \(left[0]) and \(right[0]) and hada_w2 of \(left[1]) and \(right[1]) do not fit")
    }
    return found.module(
      Self.self, rows: left[0][0], columns: right[0][1], rank: left[0][1],
      scaling: found.configuration.scaling(of: found.path))
  }

  package static func weight(
    of module: AdapterFolder.Module, at match: ModuleMatcher.Match, in folder: AdapterFolder
  ) throws(FileError) -> any StoredWeight {
    let first = (a: try folder.matrix("hada_w1_a", of: module), b: try folder.matrix("hada_w1_b", of: module))
    let second = (a: try folder.matrix("hada_w2_a", of: module), b: try folder.matrix("hada_w2_b", of: module))
    let left = columnProducts(first.a, second.a)
    let right = columnProducts(first.b.transposedCopy(), second.b.transposedCopy())
    var factors = LoRAFactors(b: left, a: right.transposedCopy(), scaling: module.scaling!, format: module.format)
    // Every term is made of four stored vectors.
    factors.sensitivity = 2 * factors.finiteTermsNorm()
    factors.unscaledStepNorm = (try? moved(first, along: second) + moved(second, along: first)).map(euclideanNorm)
    return factors
  }

  /// The norms of what moving W₁ₐ and W₁ᵦ moves in (W₁ₐ·W₁ᵦ) ∘ W₂: entry (i, j) of W₂ times the norm of column j of W₁ᵦ, and of row i
  /// of W₁ₐ.
  private static func moved(
    _ pair: (a: Matrix<Double>, b: Matrix<Double>), along other: (a: Matrix<Double>, b: Matrix<Double>)
  ) throws(LinearAlgebraError) -> [Double] {
    [
      productNorm(other.a, other.b.scalingColumns(by: try pair.b.columnNorms())),
      productNorm(other.a.scalingRows(by: try pair.a.scaledRowNorms()), other.b),
    ]
  }

  /// The products, entry by entry, of every column of `a` with every column of `b`.
  private static func columnProducts(_ a: Matrix<Double>, _ b: Matrix<Double>) -> Matrix<Double> {
    var result = Matrix<Double>(rows: a.rows, columns: a.columns * b.columns)
    for row in 0..<a.rows {
      for i in 0..<a.columns {
        for j in 0..<b.columns { result[row, i * b.columns + j] = a[row, i] * b[row, j] }
      }
    }
    return result
  }
}
