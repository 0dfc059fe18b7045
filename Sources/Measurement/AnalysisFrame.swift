import Adapters
import Diagnosis
import LinearAlgebra
import RunStore
import Weights

/// Everything of an analysis but what was measured module by module.
struct AnalysisFrame: Equatable {
  var origin: AnalysisOrigin
  /// What was noticed before values were read.
  var remarks: [AdapterRemark]
  var setup: RunSetup
  /// What the trainer's log says.
  var records: TrainingRecords
  /// Checkpoints that could not be opened.
  var damaged: Int
  /// Modules of the adapters that no weight of the base belongs to.
  var unmatched: Int

  /// The analysis that the pieces make, in whatever order they are.
  func outcome(pieces: [MeasurementPiece], references: [String: MeasuredReference]) -> MeasurementPlan.Outcome {
    let pieces = pieces.sorted { ($0.step, $0.module) < ($1.step, $1.module) }
    var origin = origin
    let kernels = Set(pieces.map(\.kernels) + references.values.map(\.kernels)).subtracting([""])
    if kernels.count > 1 { origin.mixedKernels = kernels.sorted() }
    var analysis = Analysis(
      origin: origin, rows: pieces.flatMap(\.rows),
      noticed: Finding.findings(from: remarks + pieces.flatMap(\.remarks)), setup: setup,
      baseNorms: references.mapValues(\.norm), baseValues: references.mapValues(\.values).filter { !$0.value.isEmpty },
      training: records.isEmpty ? nil : records.withoutModules)
    analysis.findings = analysis.verdict(records: records).findings
    return .init(analysis: analysis, damaged: damaged + pieces.count(where: \.isDamaged), unmatched: unmatched)
  }
}

/// What an analysis file has of a module's base weight.
struct MeasuredReference: Equatable, Sendable {
  /// ‖W₀‖_F.
  var norm: Double
  /// The singular values of W₀; empty where they are not known.
  var values: [Double]
  /// What computed it, as `KernelSet` names it.
  var kernels = KernelSet.name
}

extension AnalysisFrame {
  /// - Parameter remarks: what was noticed before values were read.
  init(_ plan: MeasurementPlan, _ options: MeasurementOptions, remarks: [AdapterRemark], log: TrainerLog) {
    self.init(
      origin: AnalysisOrigin(
        source: plan.run?.path ?? options.source, base: plan.run?.identity.base ?? options.base,
        createdBy: "spectroscope \(programVersion)", depth: plan.depth.rawValue, coverage: plan.coverage),
      remarks: remarks + log.remarks + plan.remarksOnSilencedFactors(), setup: plan.setup(records: log.records),
      records: log.records, damaged: plan.damagedCheckpointCount, unmatched: plan.unmatchedModuleCount)
  }
}
