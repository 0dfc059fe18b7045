import Adapters
import LinearAlgebra
import Spectra
import Weights

/// Measures one module at all its checkpoints, in the order of steps.
struct ModuleMeasurement {
  let plan: MeasurementPlan
  let module: MeasurementPlan.Module
  let baseNorm: Double
  private var history: ModuleHistory
  /// The singular value decomposition of the base weight, where updates are aligned with it.
  private var baseDecomposition: SVD<Double>?

  init(plan: MeasurementPlan, module: MeasurementPlan.Module, baseNorm: Double) {
    self.plan = plan
    self.module = module
    self.baseNorm = baseNorm
    history = ModuleHistory(plan: plan, module: module)
  }

  /// The piece of one appearance. A tensor that cannot be used becomes a remark, and later checkpoints are compared with the
  /// last good one.
  mutating func measure(_ index: Int) throws(FileError) -> MeasurementPiece {
    let (checkpoint, stored) = module.appearances[index]
    let step = plan.checkpoints[checkpoint].step
    var piece = MeasurementPiece(step: step, module: module.match.module, rows: [], remarks: [], isDamaged: false)
    do {
      for (deltas, update) in try history.updates(at: index) {
        let spectrum = try spectrum(of: update, stored)
        let alignment = try alignment(of: update, spectrum, stored, checkpoint)
        piece.rows += deltas.map { row($0, spectrum, alignment, update, stored, checkpoint) }
      }
      piece.rows.sort { $0.delta < $1.delta }
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

  /// Takes a piece that an earlier, interrupted analysis has measured: only what a later checkpoint is compared with is read.
  mutating func skip(_ index: Int, _ piece: MeasurementPiece) {
    if !piece.isDamaged { history.skip(index) }
  }
}

// MARK: - Rows

extension ModuleMeasurement {
  private func spectrum(of update: ModuleUpdate, _ stored: AdapterFolder.Module) throws -> UpdateSpectrum {
    switch update.content {
    case .factored(let product): try UpdateSpectrum(of: product)
    case .dense(let difference, let laterNorm):
      try UpdateSpectrum(of: difference, laterNorm: laterNorm, rounding: stored.format.rmsRounding)
    }
  }

  /// The alignment of an update with the base weight, where the plan wants it; nil where the update is zero.
  private mutating func alignment(
    of update: ModuleUpdate, _ spectrum: UpdateSpectrum, _ stored: AdapterFolder.Module, _ checkpoint: Int
  ) throws -> Alignment? {
    guard plan.alignsWithBase, spectrum.numericalRank > 0 else { return nil }
    let base = try decomposedBase()
    let change: SVD<Double>
    switch update.content {
    case .factored(let product): change = try product.decomposition()
    case .dense(let difference, _): change = try singularValueDecomposition(of: difference)
    }
    let k = ModuleScale.directions(rank: stored.configuredRank, rows: spectrum.rows, columns: spectrum.columns)
    return try Alignment(
      of: change.leadingVectors(min(k, spectrum.numericalRank)), with: base.leadingVectors(k))
  }

  private mutating func decomposedBase() throws -> SVD<Double> {
    if let baseDecomposition { return baseDecomposition }
    let svd = try singularValueDecomposition(of: history.baseWeight())
    baseDecomposition = svd
    return svd
  }

  private func row(
    _ delta: Delta, _ spectrum: UpdateSpectrum, _ alignment: Alignment?, _ update: ModuleUpdate,
    _ stored: AdapterFolder.Module, _ checkpoint: Int
  ) -> SpectrumRow {
    let now = plan.checkpoints[checkpoint]
    let earlier = history.stepBefore
    let scale = ModuleScale(
      baseNorm: baseNorm, rank: stored.configuredRank, reportedRank: stored.reportedRank,
      roundingNorm: update.roundingNorm, residualRoundingNorm: delta == .pretrained ? update.residualRoundingNorm : nil,
      stepsSincePrevious: delta == .previous && now.step > earlier ? now.step - earlier : nil)
    var metrics = MetricValues(of: spectrum, in: scale)
    if let alignment { metrics.add(alignment) }
    return SpectrumRow(
      step: now.step, module: module.match.module, method: (stored.isWhole ? .full : now.method).rawValue,
      delta: delta, metrics: metrics, singularValues: spectrum.values)
  }
}

extension SVD<Double> {
  /// The first `count` left and right vectors as columns.
  fileprivate func leadingVectors(_ count: Int) -> (left: Matrix<Double>, right: Matrix<Double>) {
    let (u, v) = (u!.view, vTransposed!.transposed)
    return (Matrix(u[0..<u.rows, 0..<count]), Matrix(v[0..<v.rows, 0..<count]))
  }
}
