import Adapters
import LinearAlgebra
import Spectra
import Weights

/// What one module's weight was at each of its checkpoints, and the updates that lie between them and the start. It holds the
/// states of two moments at a time.
struct ModuleHistory {
  /// What a module's weights were at a checkpoint.
  private enum State {
    case factored(LoRAFactors)
    case whole(Matrix<Double>, FloatFormat)
  }

  let plan: MeasurementPlan
  let module: MeasurementPlan.Module
  /// What is to be said of the start, once an update has asked for it.
  private(set) var startRemark: AdapterRemark?
  /// The base weight, read when something first needs it: most updates of low rank never do.
  private var weight: Matrix<Double>?
  private var start: AdapterStart?
  private var before: (checkpoint: Int, state: State)?
  private var now: (checkpoint: Int, state: State)?

  init(plan: MeasurementPlan, module: MeasurementPlan.Module) {
    self.plan = plan
    self.module = module
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

  /// Takes an appearance that was measured before: only what a later checkpoint is compared with is read.
  mutating func skip(_ index: Int) {
    guard index + 1 < module.appearances.count else { return }
    let (checkpoint, stored) = module.appearances[index]
    before = (try? read(stored, at: checkpoint)).map { (checkpoint, $0) } ?? before
  }

  /// The step of the checkpoint that `previous` is measured from: 0 stands before the first one.
  var stepBefore: Int { before.map { plan.checkpoints[$0.checkpoint].step } ?? 0 }

  private func read(_ stored: AdapterFolder.Module, at checkpoint: Int) throws -> State {
    let adapter = plan.checkpoints[checkpoint].adapter
    if stored.rank != nil { return .factored(try adapter.factors(of: stored)) }
    return .whole(try adapter.savedWeight(of: stored), stored.format)
  }

  /// The base weight, output × input.
  mutating func baseWeight() throws -> Matrix<Double> {
    if let weight { return weight }
    let read = try plan.base.matrix(module.match)
    weight = read
    return read
  }
}

// MARK: - Updates

extension ModuleHistory {
  /// The updates at a checkpoint, each once, with the deltas it stands for: a LoRA that began at zero has one update since
  /// initialisation and since pretraining.
  private mutating func updates(
    of state: State, at checkpoint: Int, _ stored: AdapterFolder.Module
  ) throws -> [([Delta], ModuleUpdate)] {
    switch state {
    case .factored(let now): try factoredUpdates(now, at: checkpoint, stored)
    case .whole(let now, let format): try wholeUpdates(now, format, at: checkpoint, stored)
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

  /// W_eff(t) − W_eff(before); nil where the module was a whole weight before, or where one of the two is relative to a residual
  /// base whose start is not known.
  private mutating func sincePrevious(
    _ before: (checkpoint: Int, state: State), _ now: LoRAFactors, at checkpoint: Int, _ stored: AdapterFolder.Module
  ) throws -> ModuleUpdate? {
    guard case .factored(let earlier) = before.state else { return nil }
    let residuals = (plan.checkpoints[before.checkpoint].hasResidualBase, plan.checkpoints[checkpoint].hasResidualBase)
    if residuals.0 == residuals.1 { return try .between(earlier, now) }
    let start = try start(stored)
    guard let a = try ModuleUpdate.sincePretraining(earlier, start: start.seen(fromResidualBase: residuals.0)),
      let b = try ModuleUpdate.sincePretraining(now, start: start.seen(fromResidualBase: residuals.1))
    else { return nil }
    return b.subtracting(a)
  }

  private mutating func wholeUpdates(
    _ now: Matrix<Double>, _ format: FloatFormat, at checkpoint: Int, _ stored: AdapterFolder.Module
  ) throws -> [([Delta], ModuleUpdate)] {
    let rounding = try format.rmsRounding * now.frobeniusNorm()
    var sinceStart: [Delta] = [.initial]
    var result: [([Delta], ModuleUpdate)] = []
    var start = (weight: try baseWeight(), roundings: [rounding])
    if let initial = plan.initial,
      let module = initial.modules.first(where: { $0.path == stored.path && $0.rank == nil })
    {
      result.append(([.pretrained], try .whole(from: start.weight, to: now, roundings: start.roundings)))
      let first = try initial.savedWeight(of: module)
      start = (first, [rounding, try module.format.rmsRounding * first.frobeniusNorm()])
    } else {
      sinceStart.append(.pretrained)
    }
    if let before {
      if case .whole(let earlier, let earlierFormat) = before.state {
        let roundings = [rounding, try earlierFormat.rmsRounding * earlier.frobeniusNorm()]
        result.append(([.previous], try .whole(from: earlier, to: now, roundings: roundings)))
      }
    } else if plan.checkpoints[checkpoint].step > 0 {
      sinceStart.append(.previous)
    }
    result.append((sinceStart, try .whole(from: start.weight, to: now, roundings: start.roundings)))
    return result
  }
}

// MARK: - Start

extension ModuleHistory {
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
      guard let first = initial.modules.first(where: { $0.path == stored.path && $0.rank != nil }) else {
        return unknownStart("the initial adapter has no factors for this module", isSubtracted: isSubtracted)
      }
      let factors = try initial.factors(of: first)
      let residual = isSubtracted ? try residualRounding(of: factors) : nil
      return .factors(factors, isSubtracted: isSubtracted, residualRoundingNorm: residual, isRecomputed: false)
    }
    // A converted checkpoint says nothing of the start of the others.
    let appearance =
      module.appearances.first { plan.checkpoints[$0.checkpoint].hasResidualBase } ?? module.appearances[0]
    return try startOfSeries(appearance.module, plan.checkpoints[appearance.checkpoint])
  }

  /// The start as the method and the configuration of a checkpoint tell it.
  private mutating func startOfSeries(
    _ stored: AdapterFolder.Module, _ checkpoint: MeasurementPlan.Checkpoint
  ) throws -> AdapterStart {
    let configuration = checkpoint.adapter.configuration
    switch configuration.initialization {
    case .pissa where checkpoint.method == .pissa, .zero where checkpoint.method == .pissa:
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
        "the start of init_lora_weights = \"\(other.name)\" is random or needs data, and cannot be found again from the base",
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
    weight = nil
    return .factors(factors, isSubtracted: true, residualRoundingNorm: residual, isRecomputed: true)
  }

  private mutating func residualRounding(of start: LoRAFactors) throws -> Double? {
    guard let format = try plan.base.entry(module.match.tensor).elementType.format else { return nil }
    return try SVDStart.residualRoundingNorm(weight: baseWeight(), start: start, format: format)
  }
}
