import LinearAlgebra
import Weights

/// LoKr (Yeh et al. 2024, section 3) in PEFT's form: ΔW = s·W₁ ⊗ W₂ with s = α/r, where W₁ and W₂ are each a whole matrix or a
/// product of two factors of rank r; one of them is zero at the start.
package enum StoredLoKr: StoredMethod {
  package static let type = "LOKR"
  package static let method = AdapterMethod.lokr
  package static let parts: Set = [
    "lokr_w1", "lokr_w1_a", "lokr_w1_b", "lokr_w2", "lokr_w2_a", "lokr_w2_b", "lokr_t2",
  ]
  package static let fields = ConfigurationFields(alpha: "alpha", start: "init_weights")

  package static func module(_ found: FoundTensors) throws(UnfitModule) -> AdapterFolder.Module {
    guard found.names["lokr_t2"] == nil else {
      throw UnfitModule("the factors of a convolution (lokr_t2) are no matrices")
    }
    let (first, second) = (try side("lokr_w1", found), try side("lokr_w2", found))
    var module = found.module(
      Self.self, rows: first.rows * second.rows, columns: first.columns * second.columns,
      rank: first.rank ?? second.rank ?? found.configuration.rank(of: found.path),
      scaling: found.configuration.scaling(of: found.path))
    module.configuredRank = found.configuration.rank(of: found.path)
    return module
  }

  /// The shape of W₁ or W₂, and its rank where it is stored as factors.
  private static func side(
    _ name: String, _ found: FoundTensors
  ) throws(UnfitModule) -> (rows: Int, columns: Int, rank: Int?) {
    if found.names[name] != nil {
      let shape = try found.shape(name)
      return (shape[0], shape[1], nil)
    }
    let (a, b) = (try found.shape(name + "_a"), try found.shape(name + "_b"))
    guard a[1] == b[0], (a + b).allSatisfy({ $0 > 0 }) else {
      throw UnfitModule("\(name)_a of \(a) and \(name)_b of \(b) do not fit each other")
    }
    return (a[0], b[1], a[1])
  }

  package static func weight(
    of module: AdapterFolder.Module, at match: ModuleMatcher.Match, in folder: AdapterFolder
  ) throws(FileError) -> any StoredWeight {
    func side(_ name: String) throws(FileError) -> KroneckerWeight.Side {
      if module.tensors[name] != nil { return .whole(try folder.matrix(name, of: module)) }
      return .factors(try folder.matrix(name + "_a", of: module), try folder.matrix(name + "_b", of: module))
    }
    return KroneckerWeight(
      first: try side("lokr_w1"), second: try side("lokr_w2"), scaling: module.scaling!, format: module.format)
  }
}

/// A scaled Kronecker product.
struct KroneckerWeight: StoredWeight {
  enum Side {
    case whole(Matrix<Double>)
    case factors(Matrix<Double>, Matrix<Double>)

    var matrix: Matrix<Double> {
      switch self {
      case .whole(let matrix): matrix
      case .factors(let a, let b): product(a, b)
      }
    }

    /// The side as a product, with the identity where it is stored whole.
    var factors: (Matrix<Double>, Matrix<Double>) {
      switch self {
      case .whole(let matrix): (matrix, .identity(matrix.columns))
      case .factors(let a, let b): (a, b)
      }
    }

    /// √(Σ of the squared norms of what rounding by 1 of every entry moves): ‖W‖_F, or √(2·Σ‖aᵢ‖²‖bᵢ‖²) of factors.
    func rounding() throws(LinearAlgebraError) -> Double {
      guard case .factors(let a, let b) = self else { return try matrix.frobeniusNorm() }
      let lengths = zip(try a.columnNorms(), try b.transposedCopy().columnNorms()).map { $0 * $1 }
      return euclideanNorm(lengths + lengths)
    }
  }

  var first: Side
  var second: Side
  var scaling: Double
  var format: FloatFormat

  func change(from earlier: (any StoredWeight)?, over base: any PretrainedWeight) throws -> ModuleUpdate? {
    guard let earlier else { return ModuleUpdate(content: .factored(scaledProduct()), roundingNorm: try roundingNorm()) }
    guard let earlier = earlier as? KroneckerWeight else { return nil }
    let (a, b) = (first.matrix, second.matrix)
    let (a0, b0) = (earlier.first.matrix, earlier.second.matrix)
    guard (a.rows, a.columns, b.rows, b.columns) == (a0.rows, a0.columns, b0.rows, b0.columns) else { return nil }
    // (A − A₀) ⊗ B + A₀ ⊗ (B − B₀), whose terms are as small as the difference itself.
    let start = a0.scaled(by: earlier.scaling)
    let steps = scaling == earlier.scaling ? (a - a0).scaled(by: scaling) : a.scaled(by: scaling) - start
    let dense = kronecker(steps, b) + kronecker(start, b - b0)
    return ModuleUpdate(
      content: .factored(LowRankProduct(dense: dense)),
      roundingNorm: euclideanNorm([try roundingNorm(), try earlier.roundingNorm()]))
  }

  /// (A₁·A₂) ⊗ (B₁·B₂) = (A₁ ⊗ B₁)·(A₂ ⊗ B₂), or the dense product where that has fewer terms.
  private func scaledProduct() -> LowRankProduct {
    let ((a1, a2), (b1, b2)) = (first.factors, second.factors)
    let (rows, columns) = (a1.rows * b1.rows, a2.columns * b2.columns)
    if 2 * a1.columns * b1.columns <= min(rows, columns) {
      return LowRankProduct(left: kronecker(a1, b1).scaled(by: scaling), right: kronecker(a2, b2))
    }
    return LowRankProduct(dense: kronecker(first.matrix, second.matrix).scaled(by: scaling))
  }

  /// The rms norm of what rounding the stored numbers does to the product.
  private func roundingNorm() throws(LinearAlgebraError) -> Double {
    let (a, b) = (try first.matrix.frobeniusNorm(), try second.matrix.frobeniusNorm())
    return abs(scaling) * format.rmsRounding * euclideanNorm([try first.rounding() * b, a * (try second.rounding())])
  }
}

/// a ⊗ b: every entry of a times all of b.
func kronecker(_ a: Matrix<Double>, _ b: Matrix<Double>) -> Matrix<Double> {
  var elements: [Double] = []
  elements.reserveCapacity(a.elements.count * b.elements.count)
  for i in 0..<a.rows {
    for k in 0..<b.rows {
      let row = b.elements[k * b.columns..<(k + 1) * b.columns]
      for factor in a.elements[i * a.columns..<(i + 1) * a.columns] { elements += row.map { factor * $0 } }
    }
  }
  return Matrix(rows: a.rows * b.rows, columns: a.columns * b.columns, elements: elements)
}
