import Adapters
import Foundation
import LinearAlgebra
import OrderedCollections
import Weights

/// One training run: from a base and a configuration to checkpoints and records, which an observer receives.
package final class Trainer {
  package let configuration: TrainingConfiguration
  package let model: AdaptedModel<Float>
  private let tokenizer: CharacterTokenizer
  private let task: any VerifiableTask
  private let heldOut: HeldOutSet
  private let rollouts: RolloutSource
  private let accuracy: Evaluation
  private let retention: Evaluation?
  private let observer: any TrainingObserver
  private var optimizer: AdamW<Float>
  private var allocator: RankAllocator<Float>?
  private var velocityMeter: VelocityMeter<Float>
  private var previousKL: Double?
  private var patience: RewardPatience
  private var rateFactor = 1.0
  private var interventions = 0
  /// The steps done before this process, nil where it begins the run.
  private var restoredStep: Int?

  /// Adapts the base; nothing is trained yet.
  ///
  /// - Parameters:
  ///   - task: the opened task of the configuration; one that is built in where nil.
  ///   - threads: how many to work with; it changes nothing but time.
  /// - Throws: `TrainingError` where the configuration does not fit the base.
  package init(
    _ configuration: TrainingConfiguration, base: PretrainedModel, task: (any VerifiableTask)? = nil, threads: Int,
    observer: any TrainingObserver
  ) throws(TrainingError) {
    self.configuration = configuration
    self.observer = observer
    patience = RewardPatience(configuration)
    guard let tokenizer = base.tokenizer else { throw .noTokenizer(base: configuration.base) }
    guard let task = task ?? TaskRegistry.task(named: configuration.task) else {
      throw .unknownTask(configuration.task)
    }
    (self.tokenizer, self.task) = (tokenizer, task)
    heldOut = task.heldOut(count: configuration.heldOutCount)
    rollouts = RolloutSource(configuration, task: task, tokenizer: tokenizer, heldOut: heldOut)
    accuracy = Evaluation(heldOut, of: task, tokenizer: tokenizer, temperature: configuration.temperature)
    retention = Evaluation(retentionOf: configuration.retentionCount, tokenizer: tokenizer)
    try configuration.requireFit(to: base, task: task)
    do throws(LinearAlgebraError) {
      let adapters = try AdapterSet<Float>(
        method: configuration.method, options: configuration.adapter, targets: configuration.targets,
        layout: base.layout, base: base.parameters, seed: configuration.seed)
      model = AdaptedModel(layout: base.layout, base: base.parameters, adapters: adapters, threads: threads)
      velocityMeter = try VelocityMeter(model)
    } catch {
      throw .start(configuration.method, "\(error)")
    }
    var options = configuration.optimizer
    options.convention = configuration.method.trained!.optimizer
    optimizer = AdamW(
      count: model.adapters.parameters.count, options: options, groups: model.adapters.parameterGroups)
    allocator = model.adapters.allocator(stepCount: configuration.updateCount)
    try Self.checkStart(model.adapters, base)
  }
}

// MARK: - Checking

extension Trainer {
  /// Every method starts at the base: ‖W_eff(0) − W₀‖/‖W₀‖ < 1e-6, some ten roundings of Float32.
  private static func checkStart(
    _ adapters: AdapterSet<Float>, _ base: PretrainedModel
  ) throws(TrainingError) {
    let (module, distance): (String, Double)
    do throws(LinearAlgebraError) {
      (module, distance) = try adapters.largestDistance(from: base.parameters)
    } catch {
      throw .start(adapters.method, "\(error)")
    }
    guard distance < 1e-6 else { throw .startIsOff(adapters.method, module: module, distance: distance) }
  }
}

// MARK: - The run

extension Trainer {
  /// How a run ended.
  package enum Ending: Equatable, Sendable {
    case finished
    /// The observer wished it.
    case stoppedByObserver(step: Int)
    /// `shouldStop` wished it.
    case interrupted(step: Int)
    /// There was no reward for as many steps as the configuration allows.
    case withoutReward(step: Int)
  }

  /// Trains. The last step always has a checkpoint.
  ///
  /// - Throws: `TrainingError` where a problem does not fit the base's vocabulary; what the observer throws.
  package func run(shouldStop: () -> Bool = { false }) throws -> Ending {
    if restoredStep == nil { try begin() }
    if let restoredStep, patience.isOver { return .withoutReward(step: restoredStep) }
    var step = restoredStep ?? 0
    while step < configuration.steps {
      step += 1
      let began = Date()
      var record = TrainingRecord(step: step)
      record["learning_rate"] = learningRate(at: step)
      let before = observer.mayRefuse ? Position(self) : nil
      try train(step, &record)
      let velocity = try measuredVelocity()
      let directive = try observer.didUpdate(record.describing(velocity), velocity: velocity)
      switch directive {
      case .goOn, .stop: record = record.describing(velocity)
      case .refuse:
        guard let before else { preconditionFailure("an observer that refuses says before that it may") }
        takeBack(to: before)
        record["refused"] = 1
      case .rollBack(let state, let snapshot):
        try load(state, snapshot)
        velocityMeter.restart(model)
        step = state.step
        continue
      }
      let isOver = patience.isOver(reward: record["reward"])
      let isLast = step == configuration.steps || directive == .stop || isOver || shouldStop()
      let isCheckpoint = isLast || step % configuration.checkpointEvery == 0
      if isCheckpoint { try evaluate(&record) }
      record["seconds"] = Date().timeIntervalSince(began)
      try observer.didFinish(record)
      if isCheckpoint {
        velocityMeter.refreshFrames(model)
        try observer.willReachCheckpoint(state(after: step))
        try observer.didReachCheckpoint(model.adapters.snapshot(step: step))
      }
      if directive == .stop { return .stoppedByObserver(step: step) }
      if isLast, step < configuration.steps {
        return isOver ? .withoutReward(step: step) : .interrupted(step: step)
      }
    }
    return .finished
  }

  private func begin() throws {
    try observer.didStart(model.adapters.snapshot(step: 0), state: state(after: 0))
    var first = TrainingRecord(step: 0)
    try evaluate(&first)
    try observer.didFinish(first)
  }

  private func state(after step: Int) -> TrainingState {
    TrainingState(
      step: step, optimizer: optimizer.state, allocator: allocator?.state, previousKL: previousKL,
      stepsWithoutReward: patience.count, rateFactor: rateFactor, interventions: interventions)
  }

  private func learningRate(at step: Int) -> Double { configuration.learningRate(at: step) * rateFactor }

  /// Goes on with an earlier process's run from one of its checkpoints: `run` then begins behind it.
  ///
  /// - Parameter initial: the run's adapter at step 0.
  /// - Throws: `TrainingError` where they do not fit the configuration, or where this machine computes another start.
  package func restore(
    _ state: TrainingState, from snapshot: AdapterSnapshot, initial: AdapterSnapshot
  ) throws(TrainingError) {
    let start = model.adapters.snapshot(step: 0)
    if let path = initial.modules.keys.first(where: { initial.modules[$0] != start.modules[$0] }) {
      throw .otherStart(module: path)
    }
    try load(state, snapshot)
    restoredStep = state.step
    velocityMeter.restart(model)
  }

  /// Takes the adapter and the state of a checkpoint.
  private func load(_ state: TrainingState, _ snapshot: AdapterSnapshot) throws(TrainingError) {
    let count = model.adapters.parameters.count
    let counts =
      [state.optimizer.first.count, state.optimizer.second.count]
      + (state.allocator.map { [$0.importance.count, $0.uncertainty.count] } ?? [])
    let hasTriplets = state.allocator.map { $0.kept.isEmpty || $0.kept.count == allocator?.tripletCount } ?? true
    guard counts.allSatisfy({ $0 == count }), hasTriplets, (state.allocator == nil) == (allocator == nil) else {
      throw .otherState("\(count) numbers for each moment, found \(counts)")
    }
    if let tensor = model.adapters.restore(snapshot) {
      throw .otherState("the tensor \(tensor), found none of its shape")
    }
    optimizer.state = state.optimizer
    if let kept = state.allocator { allocator?.state = kept }
    previousKL = state.previousKL
    patience.count = state.stepsWithoutReward
    (rateFactor, interventions) = (state.rateFactor, state.interventions)
    model.refresh()
  }

  /// Where an update began, to which it can be taken back.
  private struct Position {
    let parameters: [Float]
    let optimizer: AdamW<Float>.State
    let allocator: RankAllocator<Float>.State?

    init(_ trainer: Trainer) {
      parameters = trainer.model.adapters.parameters
      (optimizer, allocator) = (trainer.optimizer.state, trainer.allocator?.state)
    }
  }

  private func takeBack(to position: Position) {
    model.adapters.parameters = position.parameters
    optimizer.state = position.optimizer
    if let state = position.allocator { allocator?.state = state }
    interventions += 1
    model.refresh()
    velocityMeter.forget(model.adapters)
  }

  private func evaluate(_ record: inout TrainingRecord) throws(TrainingError) {
    do throws(TokenizationError) {
      record["accuracy"] = try accuracy.accuracy(of: model)
      record["retention"] = try retention?.accuracy(of: model)
    } catch {
      throw .tokenization(error)
    }
  }

  private func train(_ step: Int, _ record: inout TrainingRecord) throws(TrainingError) {
    switch configuration.objective {
    case .grpo, .dapo, .drGRPO: try reinforce(step, &record)
    case .sft: try imitate(step, &record)
    }
  }

  /// How far the weights have moved since the last call; nil where that is not to be measured.
  private func measuredVelocity() throws -> UpdateVelocity? {
    configuration.telemetry.measuresVelocity ? try velocityMeter.measure(model.adapters) : nil
  }

  /// Clips the gradient and moves the adapters against it; a gradient that is not finite moves nothing. Returns its norm.
  ///
  /// - Parameter update: among those of the step, from 0.
  private func move(against gradient: [Float], at step: Int, update: Int = 0) throws(TrainingError) -> Double {
    var gradient = gradient
    allocator?.addOrthogonality(model.adapters.parameters, to: &gradient)
    let norm = clipNorm(of: &gradient, to: configuration.maximumGradientNorm)
    guard norm.isFinite else {
      allocate(step, update, gradient: nil)
      return norm
    }
    let clipped = gradient
    do {
      try model.adapters.precondition(&gradient)
    } catch {
      throw .step(configuration.method, "\(error)")
    }
    optimizer.step(&model.adapters.parameters, gradient: gradient, learningRate: learningRate(at: step))
    allocate(step, update, gradient: clipped)
    model.refresh()
    return norm
  }

  /// - Parameter gradient: the one that moved the parameters; nil where none did.
  private func allocate(_ step: Int, _ update: Int, gradient: [Float]?) {
    guard allocator != nil else { return }
    allocator?.allocate(
      &model.adapters.parameters, gradient: gradient, step: (step - 1) * configuration.updatesPerStep + update + 1)
    if gradient == nil { model.refresh() }
  }

  /// What the masks of the adapters' dropout depend on.
  private func dropoutPlace(_ step: Int, _ update: Int) -> [Int] { [configuration.seed, step, update] }
}

// MARK: - Reinforcement

extension Trainer {
  private func reinforce(_ step: Int, _ record: inout TrainingRecord) throws(TrainingError) {
    var rollout = try drawing { () throws(TokenizationError) in try rollouts.first(step, model) }
    rollout.describe(&record)
    describeLengthPenalty(rollout, &record)
    var references: [Float]?
    if configuration.telemetry.measuresKL || configuration.policyLoss.klCoefficient > 0 {
      let scores = model.score(rollout.batch, with: .base, temperature: configuration.temperature)
      references = scores.logProbabilities
      describeKL(rollout, scores.logProbabilities, &record)
    }
    if configuration.dynamicSampling.isOn { (rollout, references) = try mixed(rollout, step, &record) }
    let update = PolicyUpdate(
      rollout, references: references, configuration.policyLoss, overlong: configuration.overlong,
      maximumLength: task.maximumResponseLength)
    guard var update else {
      // Nothing to learn: a step on the optimiser's momentum alone would still move the weights. Ranks are allocated all the same.
      for number in 0..<configuration.updatesPerStep { allocate(step, number, gradient: nil) }
      return
    }
    var (losses, norms, low, high) = ([Double](), [Double](), [Double](), [Double]())
    for number in 0..<configuration.updatesPerStep {
      let (gradient, loss, clippedLow, clippedHigh) = update.gradient(
        model, temperature: configuration.temperature, dropoutPlace: dropoutPlace(step, number))
      losses.append(loss)
      low.append(clippedLow)
      high.append(clippedHigh)
      norms.append(try move(against: gradient, at: step, update: number))
    }
    record["loss"] = mean(losses)
    record["grad_norm"] = mean(norms)
    record["clip_ratio_low_mean"] = mean(low)
    record["clip_ratio_high_mean"] = mean(high)
    record["clip_ratio_region_mean"] = mean(low) + mean(high)
  }

  /// The part of a step's completions that it learns from, where that is a part; with their log-probabilities under the base.
  private func mixed(
    _ first: Rollout, _ step: Int, _ record: inout TrainingRecord
  ) throws(TrainingError) -> (rollout: Rollout, references: [Float]?) {
    let filled = try drawing { () throws(TokenizationError) in try rollouts.filled(first, step, model) }
    record["sampling_rounds"] = Double(filled.rounds)
    record["frac_kept_groups"] = filled.keptShare
    guard configuration.policyLoss.klCoefficient > 0 else { return (filled.rollout, nil) }
    let scores = model.score(filled.rollout.batch, with: .base, temperature: configuration.temperature)
    return (filled.rollout, scores.logProbabilities)
  }

  private func drawing<Drawn>(_ draw: () throws(TokenizationError) -> Drawn) throws(TrainingError) -> Drawn {
    do throws(TokenizationError) {
      return try draw()
    } catch {
      throw .tokenization(error)
    }
  }

  private func describeLengthPenalty(_ rollout: Rollout, _ record: inout TrainingRecord) {
    guard configuration.overlong.handling == .soft else { return }
    record["length_penalty"] = mean(
      rollout.outcomes.joined().map {
        configuration.overlong.penalty(length: $0.length, maximum: task.maximumResponseLength)
      })
  }

  private func describeKL(_ rollout: Rollout, _ references: [Float], _ record: inout TrainingRecord) {
    let k3 = zip(rollout.drawnLogProbabilities, references).map {
      TokenLoss.k3(now: Double($0), reference: Double($1))
    }
    let kl = mean(k3)
    record["kl"] = kl
    record["kl_increment"] = previousKL.map { kl - $0 }
    previousKL = kl
  }
}

// MARK: - Imitation

extension Trainer {
  /// One step of supervised learning on as many responses as a rollout would have; the loss is their mean negative log-likelihood a
  /// token.
  private func imitate(_ step: Int, _ record: inout TrainingRecord) throws(TrainingError) {
    var generator = SeededGenerator(stream: .problems, configuration.seed, step)
    let count = configuration.prompts * configuration.groupSize
    let examples = (0..<count).map { _ in task.example(&generator, excluding: heldOut) }
    let batch: CompletionBatch
    do throws(TokenizationError) {
      batch = try CompletionBatch(examples, tokenizer)
    } catch {
      throw .tokenization(error)
    }
    let slope = -1 / Float(batch.tokenCount)
    let (gradient, logProbabilities) = model.gradient(
      batch, dropoutPlace: dropoutPlace(step, 0), slope: { _, _ in slope })
    record["loss"] = -mean(logProbabilities.map(Double.init))
    record["grad_norm"] = try move(against: gradient, at: step)
  }
}

extension CompletionBatch {
  /// The examples' prompts, each with its one response and the token that ends it.
  init(_ examples: [SupervisedExample], _ tokenizer: CharacterTokenizer) throws(TokenizationError) {
    self.init(
      try examples.map { example throws(TokenizationError) in
        TokenGroup(
          prompt: try tokenizer.encode(example.prompt),
          completions: [try tokenizer.encode(example.response) + [tokenizer.eos]])
      })
  }
}
