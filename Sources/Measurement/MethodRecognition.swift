import Adapters
import LinearAlgebra
import Weights

/// Finds out, for every checkpoint, which method made it and what its factors are relative to.
///
/// PiSSA, MiLoRA and their like move a part of the base into the adapter, so that W_eff = W₀ − s·B₀·A₀ + s·B·A. The same adapter
/// converted on save has twice the rank and holds −B₀·A₀ itself, so that W_eff = W₀ + s·B·A like any LoRA. Both occur in one series.
struct MethodRecognition {
  let given: AdapterMethod?
  let initial: AdapterFolder?
  let base: BaseModel
  let modules: [MeasurementPlan.Module]

  /// Sets `method` and `hasResidualBase` of every checkpoint, and says where neither could be told.
  func recognise(_ checkpoints: inout [MeasurementPlan.Checkpoint]) throws(FileError) -> [AdapterRemark] {
    var remarks: [AdapterRemark] = []
    let recognised = try methodOfInitial(statedBy: checkpoints, &remarks)
    for index in checkpoints.indices where checkpoints[index].adapter.place != initial?.place {
      let adapter = checkpoints[index].adapter
      if try isConverted(adapter) {
        (checkpoints[index].method, checkpoints[index].isConverted) = (.lora, true)
        continue
      }
      let method = given ?? recognised ?? adapter.method
      checkpoints[index].method = method
      checkpoints[index].hasResidualBase =
        method.subtractsStart || (given == nil && adapter.configuration.initialization.isSubtracted)
    }
    // The adapter of step 0 is what the series began as, however its own configuration calls it.
    let own = checkpoints.indices.filter { checkpoints[$0].adapter.place == initial?.place }
    let first = checkpoints.first { $0.adapter.place != initial?.place && $0.hasResidualBase }
    let method = given ?? first?.method ?? recognised ?? initial?.method ?? .lora
    for index in own {
      checkpoints[index].method = method
      checkpoints[index].hasResidualBase =
        first?.hasResidualBase ?? (method.subtractsStart || initial?.configuration.initialization.isSubtracted == true)
    }
    return remarks
  }

  /// PiSSA or MiLoRA where the initial adapter spans an end of the spectrum of a base weight. One weight decides, the one whose
  /// rank leaves the most room for chance to be told apart, since a run has one method.
  private func methodOfInitial(
    statedBy checkpoints: [MeasurementPlan.Checkpoint], _ remarks: inout [AdapterRemark]
  ) throws(FileError) -> AdapterMethod? {
    guard given == nil, let initial, initial.configuration.initialization == .zero,
      checkpoints.allSatisfy({ $0.adapter.configuration.initialization == .zero })
    else { return nil }
    let candidates = modules.compactMap { module in factored(module, in: initial).map { (module.match, $0) } }
    func room(_ module: AdapterFolder.Module) -> Int { min(module.rows!, module.columns!) / module.rank! }
    guard let (match, module) = candidates.max(by: { room($0.1) < room($1.1) }) else { return nil }
    let start = try initial.factors(of: module)
    guard !start.isZero else { return nil }
    let weight = try base.matrix(match)
    guard 2 * start.rank <= weight.smallerDimension else {
      remarks.append(
        AdapterRemark(
          .startIsUnknown,
          "the rank is too near the size of the weights to tell from the initial adapter whether it is PiSSA or MiLoRA; it is "
            + "taken for LoRA. Say which with --method"))
      return nil
    }
    do {
      // Over a residual base that was exported, the adapter is a LoRA that did not start at zero.
      if try SVDStart.isTaken(start, outOf: weight) { return nil }
      return try SVDStart.end(spannedBy: start.b, of: weight)
    } catch {
      throw FileError(.badContent, path: initial.path, object: module.path, "\(error)")
    }
  }

  /// True where the adapter is [A; A₀], [B, −B₀] with the initial adapter's factors, as PEFT's conversion on save writes it.
  private func isConverted(_ adapter: AdapterFolder) throws(FileError) -> Bool {
    guard let initial, adapter.configuration.initialization == .zero else { return false }
    for module in modules {
      guard let now = factored(module, in: adapter), let first = factored(module, in: initial) else { continue }
      guard now.rank == 2 * first.rank! else { return false }
      return try adapter.factors(of: now).holdsNegative(of: initial.factors(of: first))
    }
    return false
  }

  /// The module as `adapter` stores it, if as LoRA's factors.
  private func factored(_ module: MeasurementPlan.Module, in adapter: AdapterFolder) -> AdapterFolder.Module? {
    let path = module.appearances[0].module.path
    return adapter.modules.first { $0.path == path && $0.isLoRA }
  }
}

extension LoRAFactors {
  /// True where the last columns of B are ∓B₀ and the last rows of A are ±A₀, up to the rounding of how they are stored.
  fileprivate func holdsNegative(of start: LoRAFactors) -> Bool {
    let r = start.rank
    let half = LinearAlgebra.product(b.view[0..<b.rows, r..<2 * r], a.view[r..<2 * r, 0..<a.columns])
    let expected = LinearAlgebra.product(start.b, start.a)
    guard b.rows == start.b.rows, a.columns == start.a.columns, !start.isZero,
      let error = try? (half - expected.scaled(by: -1)).frobeniusNorm(), let size = try? expected.frobeniusNorm()
    else { return false }
    let rounding = max(format.unitRoundoff, start.format.unitRoundoff)
    return error <= 4 * rounding * Double(r).squareRoot() * size
  }
}

extension PEFTConfiguration.Initialization {
  /// True where the base was changed by −s·B₀·A₀ at the start.
  var isSubtracted: Bool {
    switch self {
    case .pissa, .subtracted: true
    case .zero, .other: false
    }
  }
}
