import Adapters
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
  /// True where the initial adapter was named and so has rows of its own at step 0.
  package let measuresInitial: Bool
  package let modules: [Module]
  package let method: AdapterMethod
  /// True where the method was told and not read.
  package let isMethodGiven: Bool
  package private(set) var remarks: [AdapterRemark]
  /// How many modules the adapters have, analysed or not.
  package let adapterModuleCount: Int
  /// Checkpoints that were seen and could not be opened.
  package let damagedCheckpointCount: Int

  /// Opens the base, the series and every adapter in it; reads names and shapes, no values but those of one weight where the
  /// method has to be recognised.
  ///
  /// - Throws: `FileError` where nothing at all can be measured: no base, no adapters, or none that can be opened or matched.
  package init(_ options: MeasurementOptions) throws(FileError) {
    series = try CheckpointSeries(path: options.source)
    base = try BaseModel(path: options.base)
    remarks = series.remarks
    var opened: [Checkpoint] = []
    var damaged = series.remarks.count { $0.kind == .damagedCheckpoint }
    var firstError: FileError?
    for checkpoint in series.checkpoints {
      do throws(FileError) {
        let adapter = try AdapterFolder(path: checkpoint.path)
        opened.append(Checkpoint(step: checkpoint.step, statesStep: checkpoint.statesStep, adapter: adapter))
        remarks += adapter.remarks.map { $0.at(step: checkpoint.step) }
      } catch {
        firstError = firstError ?? error
        damaged += 1
        remarks.append(AdapterRemark(.damagedCheckpoint, step: checkpoint.step, "\(error). The checkpoint is left out"))
      }
    }
    if opened.isEmpty, let firstError { throw firstError }
    damagedCheckpointCount = damaged

    let named: AdapterFolder? = if let path = options.initial { try Self.openInitial(path) } else { nil }
    if named != nil { opened.removeAll { $0.statesStep && $0.step == 0 } }
    initial = named ?? opened.first { $0.statesStep && $0.step == 0 }?.adapter
    measuresInitial = named != nil && opened.allSatisfy(\.statesStep)
    if measuresInitial, let named {
      opened.insert(Checkpoint(step: 0, statesStep: true, adapter: named), at: 0)
    }
    checkpoints = opened

    var matching = ModuleMatching(base: base, checkpoints: opened)
    try matching.run()
    modules = matching.modules
    remarks += matching.remarks
    adapterModuleCount = matching.adapterModules.count
    guard !modules.isEmpty else { throw matching.noneFits(options) }
    isMethodGiven = options.method != nil
    method =
      if let given = options.method { given } else {
        try Self.recognisedMethod(modules, opened, initial: initial, base: base)
      }
    remarks += SeriesChanges.remarks(on: opened)
  }

  /// "12/14 modules", what the analysis covers of the adapter.
  package var coverage: String { "\(modules.count)/\(adapterModuleCount) modules" }

  /// How many (checkpoint, module) pieces there are.
  package var pieceCount: Int { modules.reduce(0) { $0 + $1.appearances.count } }

  private static func openInitial(_ path: String) throws(FileError) -> AdapterFolder {
    guard let only = try CheckpointSeries(path: path).checkpoints.first else {
      preconditionFailure("a series holds at least one checkpoint")
    }
    return try AdapterFolder(path: only.path)
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

extension AdapterRemark {
  func at(step: Int) -> AdapterRemark {
    var copy = self
    copy.step = copy.step ?? step
    return copy
  }
}
