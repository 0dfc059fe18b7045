import Adapters
import OrderedCollections
import RunStore
import Weights

/// Everything that is known before the first value is read: which checkpoints, which modules, against which weights.
package struct MeasurementPlan: Sendable {
  /// One checkpoint whose adapter could be opened.
  package struct Checkpoint: Sendable {
    package var step: Int
    package var statesStep: Bool
    package var adapter: AdapterFolder
    package var method: AdapterMethod = .lora
    /// True where W_eff = W₀ − s·B₀·A₀ + s·B·A with the factors of step 0, false where it is W₀ + s·B·A.
    package var hasResidualBase = false
    /// True where the factors of step 0 lie among those of the adapter, which were therefore not all trained.
    package var isConverted = false
  }

  /// One module that has a weight in the base, with its checkpoints in the order of steps.
  package struct Module: Sendable {
    package var match: ModuleMatcher.Match
    /// Indices into `checkpoints`, with the module as that checkpoint stores it.
    package var appearances: [(checkpoint: Int, module: AdapterFolder.Module)]
  }

  package let base: BaseModel
  package let series: CheckpointSeries
  /// The run of our own that the series was extracted from.
  package let run: ExtractedRun?
  package let checkpoints: [Checkpoint]
  /// The adapter at step 0: `--initial`, or a checkpoint 0 of the series.
  package let initial: AdapterFolder?
  package let modules: [Module]
  /// True where the method was told and not read.
  package let isMethodGiven: Bool
  package let remarks: [AdapterRemark]
  package let depth: MeasurementDepth
  /// The number of directions to look at instead of each module's rank.
  package let directions: Int?
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
    do throws(FileError) {
      self = try MeasurementPlan(reading: options)
    } catch {
      throw options.named(error)
    }
  }

  private init(reading options: MeasurementOptions) throws(FileError) {
    run = options.run
    (depth, directions) = (options.depth, options.directions)
    if let run, run.steps.isEmpty, let first = run.damaged.first { throw first.error }
    series = try CheckpointSeries(path: options.source)
    base = try BaseModel(path: options.base)
    try options.requireRecordedBase(base)
    let opened = OpenedSeries(series, every: options.every)
    if opened.checkpoints.isEmpty, let error = opened.firstError { throw error }
    damagedCheckpointCount = opened.damagedCount + (run?.damaged.count ?? 0)

    var checkpoints = opened.checkpoints
    let named: AdapterFolder? = if let path = options.initial { try Self.openInitial(path) } else { nil }
    if named != nil { checkpoints.removeAll { $0.statesStep && $0.step == 0 } }
    initial = named ?? checkpoints.first { $0.statesStep && $0.step == 0 }?.adapter
    // Where nothing states the step of a single adapter it counts as 0, and two adapters cannot share a step.
    if let named, checkpoints.allSatisfy(\.statesStep) {
      checkpoints.insert(Checkpoint(step: 0, statesStep: true, adapter: named), at: 0)
    }
    var matching = ModuleMatching(base: base, checkpoints: checkpoints)
    try matching.run()
    guard !matching.modules.isEmpty else { throw matching.noneFits(options) }
    modules = matching.modules
    adapterModuleCount = matching.adapterModules.count
    unmatchedModuleCount = matching.mismatches.count
    isMethodGiven = options.method != nil
    let recognition = MethodRecognition(given: options.method, initial: initial, base: base, modules: modules)
    var found = try opened.remarks + matching.remarks + recognition.recognise(&checkpoints)
    if let initial, let changed = checkpoints.first(where: \.hasResidualBase) {
      let check = StartCheck(base: base, initial: initial, method: changed.method, modules: modules)
      if let remark = try check.remark() { found.append(remark) }
    }
    remarks = (run?.remarks ?? []) + found.map { options.named($0) }
    self.checkpoints = checkpoints
  }

  /// The method of the run: a checkpoint that was converted on save does not hide what it was converted from.
  package var method: AdapterMethod { (checkpoints.first { $0.hasResidualBase } ?? checkpoints.last!).method }

  /// What the source is, in words.
  package var layout: String { run == nil ? series.layout.rawValue : "run folder" }

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
    return try AdapterFolder(checkpoints[0].place)
  }
}
