import LinearAlgebra
import Weights

/// VeRA (Kopiczko et al. 2024, section 3.1) in PEFT's form: ΔW = diag(λ_b)·B_f·diag(λ_d)·A_f, with λ_b and λ_d a module's own and
/// A_f, B_f frozen, random, and shared by all modules, of which each takes the first columns and rows.
///
/// The rows of ΔW stay in the span of A_f's. Without the projections in the file (`save_projection=False`) they would have to be
/// drawn again by PyTorch's own generator, so that nothing can be said of ΔW.
package enum StoredVeRA: StoredMethod {
  package static let type = "VERA"
  package static let method = AdapterMethod.vera
  package static let parts: Set = ["vera_lambda_b", "vera_lambda_d", "vera_A", "vera_B"]
  package static let fields = ConfigurationFields(
    defaultRank: 256, alpha: nil, start: "init_weights", hasPatterns: false)

  package static func module(_ found: FoundTensors) throws(UnfitModule) -> AdapterFolder.Module {
    let (b, d) = (try found.shape("vera_lambda_b", axes: 1), try found.shape("vera_lambda_d", axes: 1))
    guard found.shared["vera_A"] != nil, found.shared["vera_B"] != nil else {
      throw UnfitModule(
        "the projections vera_A and vera_B are not in the file, and without them its update cannot be known. Save the "
          + "adapter again with save_projection=True in its configuration, where it was trained")
    }
    let (projectionA, projectionB) = (try found.shape("vera_A"), try found.shape("vera_B"))
    guard d[0] <= projectionA[0], d[0] <= projectionB[1], b[0] <= projectionB[0], d[0] > 0, b[0] > 0 else {
      throw UnfitModule(
        "vera_lambda_b of \(b) and vera_lambda_d of \(d) do not fit vera_A of \(projectionA) and vera_B of \(projectionB)"
      )
    }
    return found.module(Self.self, rows: b[0], columns: nil, rank: d[0], scaling: 1)
  }

  package static func weight(
    of module: AdapterFolder.Module, at match: ModuleMatcher.Match, in folder: AdapterFolder
  ) throws(FileError) -> any StoredWeight {
    let (projectionA, projectionB) = (try folder.matrix("vera_A", of: module), try folder.matrix("vera_B", of: module))
    let (rows, columns, rank) = (module.rows!, module.columns!, module.rank!)
    guard columns <= projectionA.columns else {
      throw FileError(
        .badContent, path: folder.weights.path, object: "tensor \"vera_A\"",
        "expected at least the \(columns) columns of \(module.path), found \(projectionA.columns)")
    }
    let a = Matrix(projectionA.view[0..<rank, 0..<columns])
    let lambdaD = try folder.values("vera_lambda_d", of: module)
    let lambdaB = try folder.values("vera_lambda_b", of: module)
    // λ_d goes to the side of λ_b, so that the factor on the right is the frozen one.
    let b = Matrix(projectionB.view[0..<rows, 0..<rank]).scalingRows(by: lambdaB).scalingColumns(by: lambdaD)
    var factors = LoRAFactors(b: b, a: a, scaling: 1, format: module.format)
    factors.reach = .frozenRows(a)
    return factors
  }
}
