import Adapters
import LinearAlgebra
import Spectra
import Weights

/// What a module's updates are held against: the norm of its base weight, and beyond depth `update` its spectral basis.
struct ModuleReference {
  let norm: Double
  /// k.
  let directions: Int
  let geometry: ModuleGeometry?

  /// Reads the basis, or computes it.
  ///
  /// - Throws: `FileError` where the base weight cannot be used.
  init(
    _ module: MeasurementPlan.Module, plan: MeasurementPlan, folder: BasisFolder?, norms: KeptNorms,
    journal: PieceJournal
  ) throws {
    let tensor = try BaseTensor(plan.base, module.match)
    directions = plan.directions(of: module, tensor)
    let depth = plan.depth.resolved(order: tensor.smallerDimension)
    guard depth != .update else {
      norm = try Self.norm(of: tensor, norms, journal)
      geometry = nil
      return
    }
    let basis = try Self.basis(of: tensor, keeping: KeptVectors(directions: directions), folder)
    norm = basis.frobeniusNorm
    geometry = ModuleGeometry(basis: basis, tensor: tensor, k: directions, isFull: depth == .full)
  }

  private static func basis(
    of tensor: BaseTensor, keeping kept: KeptVectors, _ folder: BasisFolder?
  ) throws(FileError) -> SpectralBasis {
    do {
      var basis =
        if let folder { try folder.basis(of: tensor, keeping: kept).0 } else {
          try SpectralBasis(of: tensor, keeping: kept)
        }
      // How it is computed is not to depend on what somebody else's basis happens to keep.
      if !kept.keepsWholeSide(rows: tensor.rows, columns: tensor.columns) { basis.whole = nil }
      return basis
    } catch {
      throw FileError.wrapping(error, path: tensor.base.path, object: tensor.match.tensor)
    }
  }

  private static func norm(
    of tensor: BaseTensor, _ norms: KeptNorms, _ journal: PieceJournal
  ) throws(FileError) -> Double {
    let name = BasisFolder.name(of: tensor)
    // The journal remembers it where there is no folder, or none that can be written.
    if let kept = journal.norm(of: name) { return kept }
    let norm = try norms.norm(of: tensor)
    try journal.append(norm: norm, of: name)
    return norm
  }
}

extension MeasurementPlan {
  /// k of a module: what was asked for, or the rank of its first appearance; fixed over the steps.
  func directions(of module: Module, _ tensor: BaseTensor) -> Int {
    let rank = module.appearances[0].module.configuredRank
    return ModuleScale.directions(rank: directions ?? rank, rows: tensor.rows, columns: tensor.columns)
  }
}
