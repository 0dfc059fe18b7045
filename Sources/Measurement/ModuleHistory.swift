import Adapters
import LinearAlgebra
import Spectra
import Weights

/// What one module's weight was at each of its checkpoints, and the updates that lie between them and the start. It holds the
/// states of two moments at a time.
struct ModuleHistory {
  /// What a module's weight was at step 0.
  private enum FirstState {
    /// W₀.
    case pretrained
    case stored(any StoredWeight)
    /// Nothing tells.
    case unknown
  }

  let plan: MeasurementPlan
  let module: MeasurementPlan.Module
  /// What is to be said of the start, once an update has asked for it.
  private(set) var startRemark: AdapterRemark?
  private let weight: LazyBaseWeight
  private var start: AdapterStart?
  /// The state at step 0 of what has no factors alone; found once.
  private var first: FirstState?
  private var before: (checkpoint: Int, state: any StoredWeight)?
  private var now: (checkpoint: Int, state: any StoredWeight)?

  init(plan: MeasurementPlan, module: MeasurementPlan.Module) {
    self.plan = plan
    self.module = module
    weight = LazyBaseWeight(plan.base, module.match)
  }

  /// The updates at an appearance, each once, with the deltas it stands for.
  ///
  /// - Throws: where a tensor cannot be used.
  mutating func updates(at index: Int) throws -> [([Delta], ModuleUpdate)] {
    let (checkpoint, stored) = module.appearances[index]
    let state = try read(stored, at: checkpoint)
    now = (checkpoint, state)
    return try updates(of: state, at: checkpoint, stored)
  }

  /// Makes the appearance whose updates were last asked for the one that later ones are compared with.
  mutating func advance() { before = now }

  /// Takes an appearance that was measured before for the one that later ones are compared with.
  mutating func skip(_ index: Int) {
    // Its updates complete its state: what a residual base lacks is known from the start alone.
    if (try? updates(at: index)) != nil { advance() }
  }

  /// The step of the checkpoint that `previous` is measured from: 0 stands before the first one.
  var stepBefore: Int { before.map { plan.checkpoints[$0.checkpoint].step } ?? 0 }

  private func read(_ stored: AdapterFolder.Module, at checkpoint: Int) throws -> any StoredWeight {
    try plan.checkpoints[checkpoint].adapter.weight(of: stored, at: module.match)
  }

  /// ‖J‖_F of `StepLaw` at the appearance whose updates were last asked for; nil where the method has no such law, or where not
  /// everything that is stored was trained.
  ///
  /// LoRA+ moves B faster by a ratio that only our own runs record. LoRA-FA's gradient is preconditioned by A: how far Adam then moves
  /// the weight depends on the gradient, and not on the adapter alone.
  func stepNorm() throws -> Double? {
    guard let (checkpoint, state) = now else { return nil }
    if state is WholeWeight { return try state.stepNorm(over: weight) }
    if plan.checkpoints[checkpoint].isConverted { return nil }
    switch plan.checkpoints[checkpoint].method {
    case .loraFA: return nil
    case .loraPlus:
      guard let ratio = plan.run?.rateRatio, let factors = state as? LoRAFactors else { return nil }
      return try factors.stepNorm(rateRatio: ratio)
    default: return try state.stepNorm(over: weight)
    }
  }

  /// The base weight, output × input.
  func baseWeight() throws -> Matrix<Double> { try weight.matrix() }
}

// MARK: - Updates

extension ModuleHistory {
  /// The updates at a checkpoint, each once, with the deltas it stands for: a LoRA that began at zero has one update since
  /// initialisation and since pretraining.
  private mutating func updates(
    of state: any StoredWeight, at checkpoint: Int, _ stored: AdapterFolder.Module
  ) throws -> [([Delta], ModuleUpdate)] {
    switch state {
    case let factors as LoRAFactors where plan.checkpoints[checkpoint].method == .loraFA:
      try factoredUpdates(factors, at: checkpoint, stored).map { deltas, update in
        (deltas, update.reaching(.frozenRows(factors.a)))
      }
    case let factors as LoRAFactors: try factoredUpdates(factors, at: checkpoint, stored)
    case let dora as DoRAWeight: try doraUpdates(dora, at: checkpoint, stored)
    default: try updates(of: state, from: firstState(stored), isStored: true, at: checkpoint)
    }
  }

  private mutating func factoredUpdates(
    _ now: LoRAFactors, at checkpoint: Int, _ stored: AdapterFolder.Module
  ) throws -> [([Delta], ModuleUpdate)] {
    let start = try start(stored).seen(fromResidualBase: plan.checkpoints[checkpoint].hasResidualBase)
    var sinceStart: [Delta] = [.initial]
    var result: [([Delta], ModuleUpdate)] = []
    if start.isPretrained {
      sinceStart.append(.pretrained)
    } else if let update = try ModuleUpdate.sincePretraining(now, start: start) {
      result.append(([.pretrained], update))
    }
    if let before {
      if let update = try sincePrevious(before, now, at: checkpoint, stored) { result.append(([.previous], update)) }
    } else if plan.checkpoints[checkpoint].step > 0, start.isStored {
      sinceStart.append(.previous)
    }
    if let update = try ModuleUpdate.sinceInitialization(now, start: start) { result.append((sinceStart, update)) }
    return result
  }

  /// W_eff(t) − W_eff(before); nil where the module was stored in another way before, or where one of the two is relative to a
  /// residual base whose start is not known.
  private mutating func sincePrevious(
    _ before: (checkpoint: Int, state: any StoredWeight), _ now: LoRAFactors, at checkpoint: Int,
    _ stored: AdapterFolder.Module
  ) throws -> ModuleUpdate? {
    guard let earlier = before.state as? LoRAFactors else { return nil }
    let residuals = (plan.checkpoints[before.checkpoint].hasResidualBase, plan.checkpoints[checkpoint].hasResidualBase)
    if residuals.0 == residuals.1 { return try .between(earlier, now) }
    let start = try start(stored)
    guard let a = try ModuleUpdate.sincePretraining(earlier, start: start.seen(fromResidualBase: residuals.0)),
      let b = try ModuleUpdate.sincePretraining(now, start: start.seen(fromResidualBase: residuals.1))
    else { return nil }
    return b.subtracting(a)
  }

  /// The updates of DoRA, whose weight W₀ + s·B·A, or W₀ − s·B₀·A₀ + s·B·A, the start makes known.
  private mutating func doraUpdates(
    _ state: DoRAWeight, at checkpoint: Int, _ stored: AdapterFolder.Module
  ) throws -> [([Delta], ModuleUpdate)] {
    var state = state
    var isStored = true
    if plan.checkpoints[checkpoint].hasResidualBase {
      let start = try start(stored)
      guard case .factors(let factors, isSubtracted: true, _, let isRecomputed) = start else { return [] }
      state.taken = factors
      isStored = !isRecomputed
      now = (checkpoint, state)
    }
    return try updates(of: state, from: firstState(stored), isStored: isStored, at: checkpoint)
  }

  /// The updates of a state, given the first one, and whether that is stored rather than computed again.
  private func updates(
    of state: any StoredWeight, from start: FirstState, isStored: Bool, at checkpoint: Int
  ) throws -> [([Delta], ModuleUpdate)] {
    var sinceStart: [Delta] = [.initial]
    var result: [([Delta], ModuleUpdate)] = []
    var first: (any StoredWeight)?
    var isKnown = true
    switch start {
    case .pretrained: sinceStart.append(.pretrained)
    case .stored(let state): first = state
    case .unknown: isKnown = false
    }
    if sinceStart.count == 1, let update = try state.change(from: nil, over: weight) {
      result.append(([.pretrained], update))
    }
    if let before {
      if let update = try state.change(from: before.state, over: weight) { result.append(([.previous], update)) }
    } else if plan.checkpoints[checkpoint].step > 0, isStored {
      sinceStart.append(.previous)
    }
    guard isKnown else { return result }
    if let update = try state.change(from: first, over: weight) { result.append((sinceStart, update)) }
    for (part, update) in try state.parts(from: first, over: weight) {
      result.append(([part == .magnitude ? .initialMagnitude : .initialDirection], update))
    }
    return result
  }
}

// MARK: - Start

extension ModuleHistory {
  /// What the module's weight was at step 0; found once.
  private mutating func firstState(_ stored: AdapterFolder.Module) throws -> FirstState {
    if let first { return first }
    let found = try findFirstState(stored)
    first = found
    return found
  }

  private mutating func findFirstState(_ stored: AdapterFolder.Module) throws -> FirstState {
    if let initial = plan.initial {
      if let state = try initialState(of: stored, in: initial) { return .stored(state) }
      // A whole weight beside an adapter is often left out of the initial one.
      if stored.isWhole { return .pretrained }
      _ = unknownStart("the initial adapter does not hold this module", isSubtracted: false)
      return .unknown
    }
    let configuration = plan.checkpoints[module.appearances[0].checkpoint].adapter.configuration
    if case .other(let name) = configuration.initialization, !stored.isWhole {
      _ = unknownStart(
        "the start of \(configuration.startField) = \"\(name)\" cannot be found again from the base",
        isSubtracted: false)
      return .unknown
    }
    return .pretrained
  }

  /// The module as the initial adapter holds it, sized as the base's.
  private func initialModule(_ stored: AdapterFolder.Module, in initial: AdapterFolder) -> AdapterFolder.Module? {
    guard var first = initial.modules.first(where: { $0.path == stored.path && $0.isWhole == stored.isWhole }) else {
      return nil
    }
    (first.rows, first.columns) = (stored.rows, stored.columns)
    return first
  }

  private mutating func initialState(
    of stored: AdapterFolder.Module, in initial: AdapterFolder
  ) throws -> (any StoredWeight)? {
    guard let first = initialModule(stored, in: initial) else { return nil }
    let state = try initial.weight(of: first, at: module.match)
    guard var dora = state as? DoRAWeight, plan.checkpoints.contains(where: \.hasResidualBase) else { return state }
    dora.taken = dora.factors
    return dora
  }

  /// Where this module's W_eff(0) is; found once.
  private mutating func start(_ stored: AdapterFolder.Module) throws -> AdapterStart {
    if let start { return start }
    let found = try findStart(stored)
    start = found
    return found
  }

  private mutating func findStart(_ stored: AdapterFolder.Module) throws -> AdapterStart {
    let isSubtracted = plan.checkpoints.contains(where: \.hasResidualBase)
    if let initial = plan.initial {
      guard let factors = try initialFactors(of: stored, in: initial) else {
        return unknownStart("the initial adapter has no factors for this module", isSubtracted: isSubtracted)
      }
      let residual = isSubtracted ? try residualRounding(of: factors) : nil
      return .factors(factors, isSubtracted: isSubtracted, residualRoundingNorm: residual, isRecomputed: false)
    }
    // A converted checkpoint says nothing of the start of the others.
    let appearance =
      module.appearances.first { plan.checkpoints[$0.checkpoint].hasResidualBase } ?? module.appearances[0]
    return try startOfSeries(appearance.module, plan.checkpoints[appearance.checkpoint])
  }

  private func initialFactors(of stored: AdapterFolder.Module, in initial: AdapterFolder) throws -> LoRAFactors? {
    guard let first = initialModule(stored, in: initial) else { return nil }
    let state = try initial.weight(of: first, at: module.match)
    return state as? LoRAFactors ?? (state as? DoRAWeight)?.factors
  }

  /// The start as the method and the configuration of a checkpoint tell it.
  private mutating func startOfSeries(
    _ stored: AdapterFolder.Module, _ checkpoint: MeasurementPlan.Checkpoint
  ) throws -> AdapterStart {
    let configuration = checkpoint.adapter.configuration
    switch configuration.initialization {
    case .pissa where [.pissa, .dora].contains(checkpoint.method), .zero where checkpoint.method == .pissa:
      let scaling = configuration.scaling(of: stored.path)
      guard scaling > 0 else {
        return unknownStart(
          "PiSSA has no start with lora_alpha \(configuration.alpha(of: stored.path))", isSubtracted: true)
      }
      return try recomputedPiSSA(stored, scaling: scaling)
    case .zero where checkpoint.method == .milora:
      return unknownStart("MiLoRA leaves no trace of its start in its files", isSubtracted: true)
    case .zero: return .pretrained
    case let other where plan.isMethodGiven && !checkpoint.hasResidualBase && other.isSubtracted: return .pretrained
    case let other:
      return unknownStart(
        "the start of \(configuration.startField) = \"\(other.name)\" is random or needs data, and cannot be found again from the base",
        isSubtracted: checkpoint.hasResidualBase)
    }
  }

  private mutating func unknownStart(_ reason: String, isSubtracted: Bool) -> AdapterStart {
    startRemark = AdapterRemark(
      .startIsUnknown,
      "\(reason); rows `init`\(isSubtracted ? " and `pretrained`" : "") are missing. Pass the adapter saved at step 0 with "
        + "--initial")
    return .unknown(isSubtracted: isSubtracted)
  }

  private mutating func recomputedPiSSA(_ stored: AdapterFolder.Module, scaling: Double) throws -> AdapterStart {
    var accuracy = 0.0
    let factors = try SVDStart.pissa(
      weight: try baseWeight(), rank: stored.rank!, scaling: scaling, format: stored.format, accuracy: &accuracy)
    let rounded = String((accuracy * 1e9).rounded() / 1e9)
    startRemark = AdapterRemark(
      .startIsRecomputed, value: accuracy,
      "PiSSA's start was computed again from the base, to within about \(rounded)·‖W₀‖ of what Float32 training took. "
        + "--initial makes it exact")
    let residual = try residualRounding(of: factors)
    weight.forget()
    return .factors(factors, isSubtracted: true, residualRoundingNorm: residual, isRecomputed: true)
  }

  private func residualRounding(of start: LoRAFactors) throws -> Double? {
    guard let format = try plan.base.entry(module.match.tensor).elementType.format else { return nil }
    return try SVDStart.residualRoundingNorm(weight: baseWeight(), start: start, format: format)
  }
}
