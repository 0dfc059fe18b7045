import Adapters
import LinearAlgebra
import Weights

/// Checks that an adapter that began as a part of a base began as a part of this one.
///
/// One weight decides, the one whose rank leaves the most room for chance to be told apart.
struct StartCheck {
  /// What the exact decomposition may leave above the least that it can, as a share of ‖W₀‖²; rounding of factors to bf16 makes 4e-6.
  static let exactExcess = 1e-3

  let base: BaseModel
  let initial: AdapterFolder
  let method: AdapterMethod
  let modules: [MeasurementPlan.Module]

  /// What is wrong, if anything.
  func remark() throws(FileError) -> AdapterRemark? {
    guard let (match, module) = widest else { return nil }
    let start = try initial.factors(of: module)
    guard !start.isZero, 2 * start.rank <= min(start.b.rows, start.a.columns) else { return nil }
    let weight = try base.matrix(match)
    do {
      if try SVDStart.isTaken(start, outOf: weight) {
        return found(module, "nothing of it is in the base: this is the residual that is left when it is taken out")
      }
      guard method == .pissa else { return nil }
      let excess = try SVDStart.excess(ofTaking: start, outOf: weight)
      let own = try start.product.frobeniusNorm() / (weight.frobeniusNorm())
      // A randomised start explains less than the exact one, and still most of it.
      let limit = initial.configuration.initialization == .pissa ? Self.exactExcess : own * own / 2
      guard excess > limit else { return nil }
      return found(
        module,
        "taking it out leaves \(Self.percent(excess)) of ‖W₀‖² more than PiSSA's start would: this is another base",
        value: excess)
    } catch {
      throw FileError(.badContent, path: initial.path, object: module.path, "\(error)")
    }
  }

  private var widest: (ModuleMatcher.Match, AdapterFolder.Module)? {
    let candidates = modules.compactMap { module -> (ModuleMatcher.Match, AdapterFolder.Module)? in
      let path = module.appearances[0].module.path
      return initial.modules.first { $0.path == path && $0.isLoRA }.map { (module.match, $0) }
    }
    func room(_ module: AdapterFolder.Module) -> Int { min(module.rows!, module.columns!) / max(1, module.rank!) }
    return candidates.max { room($0.1) < room($1.1) }
  }

  private func found(_ module: AdapterFolder.Module, _ problem: String, value: Double? = nil) -> AdapterRemark {
    AdapterRemark(
      .startIsNotOfBase, module: module.path, value: value,
      "the adapter of step 0 does not belong to this base (\(base.path)): \(problem)")
  }

  private static func percent(_ share: Double) -> String {
    let tenths = (share * 1000).rounded() / 10
    return "\(tenths) %"
  }
}
