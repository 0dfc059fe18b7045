import Adapters
import LinearAlgebra
import Spectra
import Weights

/// Measures one module at all its checkpoints, in the order of steps.
struct ModuleMeasurement {
  let plan: MeasurementPlan
  let module: MeasurementPlan.Module
  let baseNorm: Double
  /// k, fixed over the steps.
  private let directions: Int
  private var history: ModuleHistory
  /// Set where updates are held against the base.
  private var geometry: ModuleGeometry?
  /// The last appearance that an earlier, interrupted analysis has measured: later ones are compared with it.
  private var skipped: Int?
  /// ‖J‖_F/‖W₀‖_F at the appearance that is being measured.
  private var unitStep: Double?

  init(plan: MeasurementPlan, module: MeasurementPlan.Module, reference: ModuleReference) {
    self.plan = plan
    self.module = module
    self.baseNorm = reference.norm
    directions = reference.directions
    geometry = reference.geometry
    history = ModuleHistory(plan: plan, module: module)
  }

  /// The piece of one appearance. A tensor that cannot be used becomes a remark, and later checkpoints are compared with the
  /// last good one.
  mutating func measure(_ index: Int) throws(FileError) -> MeasurementPiece {
    let step = plan.checkpoints[module.appearances[index].checkpoint].step
    var piece = MeasurementPiece(step: step, module: module.match.module, rows: [], remarks: [], isDamaged: false)
    do {
      try catchUp()
      let updates = try history.updates(at: index)
      piece.rows = try rows(of: updates, at: index).sorted { $0.delta < $1.delta }
      piece.remarks = history.startRemark.map { [$0] } ?? []
      history.advance()
    } catch {
      piece.rows = []
      piece.isDamaged = true
      piece.remarks = [AdapterRemark(Self.kind(of: error), step: step, module: module.match.module, "\(error)")]
    }
    return piece
  }

  /// What a failed measurement says of its tensors.
  ///
  /// Never inlined: where the optimiser of Swift 6.3 sees both the boxing of an error and the cast that takes it out again, it
  /// releases the error once too often.
  @inline(never)
  private static func kind(of error: any Error) -> AdapterRemark.Kind {
    (error as? FileError).map { .unusable($0) } ?? .damagedCheckpoint
  }

  /// Takes a piece that an earlier, interrupted analysis has measured.
  mutating func skip(_ index: Int, _ piece: MeasurementPiece) {
    if !piece.isDamaged { skipped = index }
  }

  /// Finds again what the next appearance is compared with.
  private mutating func catchUp() throws {
    guard let index = skipped else { return }
    skipped = nil
    guard geometry != nil else { return history.skip(index) }
    _ = try rows(of: history.updates(at: index), at: index)
    history.advance()
  }
}

// MARK: - Rows

extension ModuleMeasurement {
  /// The rows of all updates at an appearance; afterwards the next one is compared with this.
  private mutating func rows(of updates: [([Delta], ModuleUpdate)], at index: Int) throws -> [SpectrumRow] {
    let (checkpoint, stored) = module.appearances[index]
    var rows: [SpectrumRow] = []
    var previous: (update: ModuleUpdate, spectrum: UpdateSpectrum, isFirst: Bool)?
    var subspace: UpdatedSubspace?
    if !updates.isEmpty, baseNorm > 0 { unitStep = try history.stepNorm().map { $0 / baseNorm } }
    for (deltas, update) in updates {
      let spectrum = try spectrum(of: update, stored)
      let direct = deltas.filter { $0 != .previous }
      if deltas.contains(.previous) { previous = (update, spectrum, deltas.contains(.pretrained)) }
      guard let first = direct.first else { continue }
      let metrics = metrics(first, spectrum, update, stored, checkpoint)
      let columns = try geometry?.columns(of: update, spectrum, into: metrics, .base)
      if direct.contains(.pretrained) { subspace = columns?.subspace }
      for delta in direct {
        rows.append(row(delta, update, spectrum, columns ?? .init(metrics: metrics), stored, checkpoint))
      }
    }
    if let (update, spectrum, isFirst) = previous {
      let metrics = metrics(.previous, spectrum, update, stored, checkpoint)
      let relation = ModuleGeometry.Relation.previous(
        now: subspace, isFirst: isFirst, steps: steps(to: checkpoint))
      let columns = try geometry?.columns(of: update, spectrum, into: metrics, relation)
      rows.append(row(.previous, update, spectrum, columns ?? .init(metrics: metrics), stored, checkpoint))
    }
    geometry?.advance(to: subspace)
    return rows
  }

  private func row(
    _ delta: Delta, _ update: ModuleUpdate, _ spectrum: UpdateSpectrum, _ columns: ModuleGeometry.Columns,
    _ stored: AdapterFolder.Module, _ checkpoint: Int
  ) -> SpectrumRow {
    let now = plan.checkpoints[checkpoint]
    var metrics = columns.metrics
    if [.initial, .pretrained, .previous].contains(delta) { metrics[.unitStep] = unitStep }
    // The one column in which rows of one update differ.
    if delta == .pretrained, baseNorm > 0 {
      metrics[.residualRounding] = update.residualRoundingNorm.map { $0 / baseNorm }
    }
    return SpectrumRow(
      step: now.step, module: module.match.module, method: (stored.isWhole ? .full : now.method).rawValue,
      delta: delta, metrics: metrics, singularValues: spectrum.values, profile: columns.profile,
      updatedValues: delta == .pretrained ? columns.updatedValues : [])
  }

  private func spectrum(of update: ModuleUpdate, _ stored: AdapterFolder.Module) throws -> UpdateSpectrum {
    switch update.content {
    case .factored(let product): try UpdateSpectrum(of: product)
    case .dense(let difference, let laterNorm):
      try UpdateSpectrum(of: difference, laterNorm: laterNorm, rounding: stored.format.rmsRounding)
    }
  }

  /// The columns of depth `update`, but for what `row` adds.
  private func metrics(
    _ delta: Delta, _ spectrum: UpdateSpectrum, _ update: ModuleUpdate, _ stored: AdapterFolder.Module,
    _ checkpoint: Int
  ) -> MetricValues {
    let scale = ModuleScale(
      baseNorm: baseNorm, rank: stored.configuredRank, reportedRank: stored.reportedRank, directions: directions,
      roundingNorm: update.roundingNorm, stepsSincePrevious: delta == .previous ? steps(to: checkpoint) : nil)
    return MetricValues(of: spectrum, in: scale)
  }

  /// Steps since the checkpoint that `previous` is measured from; nil where there are none.
  private func steps(to checkpoint: Int) -> Int? {
    let steps = plan.checkpoints[checkpoint].step - history.stepBefore
    return steps > 0 ? steps : nil
  }
}
