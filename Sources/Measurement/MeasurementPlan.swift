import Adapters
import OrderedCollections
import Foundation
import Weights

/// Everything that is known before the first value is read: which checkpoints, which modules, against which weights.
package struct MeasurementPlan: Sendable {
  /// One checkpoint whose adapter could be opened.
  package struct Checkpoint: Sendable {
    package var step: Int
    package var statesStep: Bool
    package var adapter: AdapterFolder
  }

  /// One module that has a weight in the base, with its checkpoints in the order of steps.
  package struct Module: Sendable {
    package var match: ModuleMatcher.Match
    /// Indices into `checkpoints`, with the module as that checkpoint stores it.
    package var appearances: [(checkpoint: Int, module: AdapterFolder.Module)]
  }

  package let base: BaseModel
  package let series: CheckpointSeries
  package let checkpoints: [Checkpoint]
  /// The adapter at step 0: `--initial`, or a checkpoint 0 of the series.
  package let initial: AdapterFolder?
  package let modules: [Module]
  package let method: AdapterMethod
  /// True where the method was told and not read.
  package let isMethodGiven: Bool
  package let remarks: [AdapterRemark]
  /// How many modules the adapters have, analysed or not.
  package let adapterModuleCount: Int
  /// Checkpoints that were seen and could not be opened.
  package let damagedCheckpointCount: Int
  /// Modules of the adapters that no weight of the base belongs to.
  package let unmatchedModuleCount: Int

  /// Opens the base, the series and every adapter in it; reads names and shapes, no values but those of one weight where the
  /// method has to be recognised.
  ///
  /// - Throws: `FileError` where nothing at all can be measured: no base, no adapters, or none that can be opened or matched.
  package init(_ options: MeasurementOptions) throws(FileError) {
    series = try CheckpointSeries(path: options.source)
    base = try BaseModel(path: options.base)
    let opened = OpenedSeries(series)
    if opened.checkpoints.isEmpty, let error = opened.firstError { throw error }
    damagedCheckpointCount = opened.damagedCount

    var checkpoints = opened.checkpoints
    let named: AdapterFolder? = if let path = options.initial { try Self.openInitial(path) } else { nil }
    if named != nil { checkpoints.removeAll { $0.statesStep && $0.step == 0 } }
    initial = named ?? checkpoints.first { $0.statesStep && $0.step == 0 }?.adapter
    // Where nothing states the step of a single adapter it counts as 0, and two adapters cannot share a step.
    if let named, checkpoints.allSatisfy(\.statesStep) {
      checkpoints.insert(Checkpoint(step: 0, statesStep: true, adapter: named), at: 0)
    }
    self.checkpoints = checkpoints

    var matching = ModuleMatching(base: base, checkpoints: checkpoints)
    try matching.run()
    guard !matching.modules.isEmpty else { throw matching.noneFits(options) }
    modules = matching.modules
    adapterModuleCount = matching.adapterModules.count
    unmatchedModuleCount = matching.mismatches.count
    remarks = opened.remarks + matching.remarks
    isMethodGiven = options.method != nil
    method =
      if let given = options.method {
        given
      } else {
        try Self.recognisedMethod(modules, checkpoints, initial: initial, base: base)
      }
  }

  /// "12/14 modules", what the analysis covers of the adapter.
  package var coverage: String { "\(modules.count)/\(adapterModuleCount) modules" }

  /// How many (checkpoint, module) pieces there are.
  package var pieceCount: Int { modules.reduce(0) { $0 + $1.appearances.count } }

  private static func openInitial(_ path: String) throws(FileError) -> AdapterFolder {
    let checkpoints = try CheckpointSeries(path: path).checkpoints
    guard checkpoints.count == 1 else {
      throw FileError(
        .badContent, path: path, "expected the one adapter of step 0, found \(checkpoints.count) checkpoints",
        remedy: "Name the folder of the adapter itself")
    }
    return try AdapterFolder(path: checkpoints[0].path)
  }

  /// PiSSA by its initialisation, or PiSSA and MiLoRA where the initial adapter spans an end of the spectrum of a base weight.
  /// One weight decides, the smallest, since a run has one method.
  private static func recognisedMethod(
    _ modules: [Module], _ checkpoints: [Checkpoint], initial: AdapterFolder?, base: BaseModel
  ) throws(FileError) -> AdapterMethod {
    let stated = checkpoints.last!.adapter.method
    guard stated == .lora || stated == .rslora, let initial else { return stated }
    let factored = modules.filter { $0.appearances[0].module.rank != nil }
    let smallest = factored.min {
      $0.appearances[0].module.rows * $0.appearances[0].module.columns
        < $1.appearances[0].module.rows * $1.appearances[0].module.columns
    }
    guard let smallest, let module = initial.modules.first(where: { $0.path == smallest.appearances[0].module.path })
    else { return stated }
    let start = try initial.factors(of: module)
    guard !start.isZero else { return stated }
    let weight = try base.matrix(smallest.match)
    do {
      return try SVDStart.end(spannedBy: start.b, of: weight) ?? stated
    } catch {
      throw FileError(.badContent, path: initial.path, object: module.path, "\(error)")
    }
  }
}
