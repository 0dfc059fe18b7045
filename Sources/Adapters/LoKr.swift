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

  /// (A₁·A₂) ⊗ (B₁·B₂) = (A₁ ⊗ B₁)·(A₂ ⊗ B₂), where a side that is stored whole is a product with the identity.
  package static func weight(
    of module: AdapterFolder.Module, at match: ModuleMatcher.Match, in folder: AdapterFolder
  ) throws(FileError) -> any StoredWeight {
    let first = try Side("lokr_w1", of: module, in: folder)
    let second = try Side("lokr_w2", of: module, in: folder)
    var factors = LoRAFactors(
      b: kronecker(first.left, second.left), a: kronecker(first.right, second.right), scaling: module.scaling!,
      format: module.format)
    factors.sensitivity = euclideanNorm([first.sensitivity * second.norm, first.norm * second.sensitivity])
    factors.unscaledStepNorm = euclideanNorm([first.stepNorm * second.norm, first.norm * second.stepNorm])
    return factors
  }

  /// W₁ or W₂ as a product.
  private struct Side {
    let left: Matrix<Double>
    let right: Matrix<Double>
    let norm: Double
    /// `LoRAFactors.sensitivity` of this side.
    let sensitivity: Double
    /// ‖J‖_F of `StepLaw` for this side.
    let stepNorm: Double

    init(_ name: String, of module: AdapterFolder.Module, in folder: AdapterFolder) throws(FileError) {
      if module.tensors[name] != nil {
        let whole = try folder.matrix(name, of: module)
        let isWide = whole.rows < whole.columns
        (left, right) = isWide ? (.identity(whole.rows), whole) : (whole, .identity(whole.columns))
        norm = euclideanNorm(whole.elements)
        sensitivity = norm
        stepNorm = StepLaw.entries(rows: whole.rows, columns: whole.columns)
      } else {
        left = try folder.matrix(name + "_a", of: module)
        right = try folder.matrix(name + "_b", of: module)
        norm = euclideanNorm(product(left, right).elements)
        let pair = LoRAFactors(b: left, a: right, scaling: 1, format: module.format)
        sensitivity = 2.0.squareRoot() * pair.finiteTermsNorm()
        stepNorm = (try? pair.stepNorm()) ?? .nan
      }
    }
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
