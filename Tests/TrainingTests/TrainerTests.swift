import Adapters
import LinearAlgebra
import OrderedCollections
import TestSupport
import Testing
import Training
import Weights

/// A whole run on the embedded base, as an observer sees it.
@Suite struct TrainerTests {
  private let folder = try! TemporaryFolder()

  private final class Recorder: TrainingObserver {
    var start: AdapterSnapshot?
    var events: [String] = []
    var records: [TrainingRecord] = []
    var velocities: [UpdateVelocity] = []
    var snapshots: [AdapterSnapshot] = []
    var stopAt: Int?

    func didStart(_ start: AdapterSnapshot, state: TrainingState) throws(FileError) {
      self.start = start
      events.append("start")
    }
    func didUpdate(_ record: TrainingRecord, velocity: UpdateVelocity?) throws(FileError) -> TrainingDirective {
      if let velocity { velocities.append(velocity) }
      events.append("update \(record.step)")
      return record.step == stopAt ? .stop : .goOn
    }
    func didFinish(_ record: TrainingRecord) throws(FileError) {
      records.append(record)
      events.append("record \(record.step)")
    }
    func didReachCheckpoint(_ snapshot: AdapterSnapshot) throws(FileError) {
      snapshots.append(snapshot)
      events.append("checkpoint \(snapshot.step)")
    }
  }

  private func run(
    _ change: (inout TrainingConfiguration) -> Void = { _ in }, stopAt: Int? = nil, threads: Int = 2
  ) throws -> (recorder: Recorder, ending: Trainer.Ending, trainer: Trainer) {
    try EmbeddedBase.write(to: folder.path)
    var configuration = TrainingConfiguration()
    (configuration.steps, configuration.checkpointEvery, configuration.learningRate) = (4, 2, 5e-3)
    change(&configuration)
    let recorder = Recorder()
    recorder.stopAt = stopAt
    let trainer = try Trainer(
      configuration, base: PretrainedModel(path: folder.path), threads: threads, observer: recorder)
    return (recorder, try trainer.run(), trainer)
  }

  @Test func eventsComeInOrder() throws {
    let (recorder, ending, _) = try run { $0.steps = 3 }
    #expect(
      recorder.events == [
        "start", "record 0", "update 1", "record 1", "update 2", "record 2", "checkpoint 2", "update 3", "record 3",
        "checkpoint 3",
      ])
    #expect(ending == .finished)
  }

  @Test func anObserverCanStopTheRun() throws {
    let (recorder, ending, _) = try run({ $0.steps = 50 }, stopAt: 3)
    #expect(ending == .stoppedByObserver(step: 3))
    #expect(recorder.events.suffix(3) == ["update 3", "record 3", "checkpoint 3"])
  }

  @Test(arguments: AdapterMethod.trainable)
  func velocityIsExact(method: AdapterMethod) throws {
    let (recorder, _, trainer) = try run {
      $0.method = method
      ($0.steps, $0.checkpointEvery) = (3, 1)
    }
    let states = [try #require(recorder.start)] + recorder.snapshots
    let (adapters, trained) = (trainer.model.adapters, method.trained!)
    let rank = trained.isRanked ? trained.startRank(adapters.options) : 32
    for (step, velocity) in velocityPairs(recorder.velocities) {
      for (index, module) in adapters.modules.enumerated() {
        let (before, after) = (weight(module, states[step]), weight(module, states[step + 1]))
        let difference = after - before
        let norm = try difference.frobeniusNorm()
        // The weights are formed in Float32 here: their difference is known to some 2⁻²⁴·‖W‖.
        let rounding = try 0x1p-23 * before.frobeniusNorm()
        #expect(abs(velocity.modules[index].norm - norm) < rounding + 1e-6 * norm)
        guard let shift = velocity.modules[index].shift else {
          #expect(method == .lnTuning, "norms alone have no spectrum")
          continue
        }
        // The frame of every step is that of the checkpoint before it.
        let svd = try singularValueDecomposition(of: before)
        let (q, k) = (svd.values.count, min(rank, svd.values.count / 2))
        let projected = product(product(svd.u!.transposed, difference.view).view, svd.vTransposed!.transposed)
        let ends = (Array(0..<k) + Array(max(k, q - k)..<q)).map { projected[$0, $0] }
        #expect(abs(shift - euclideanNorm(ends)) < rounding + 1e-4 * norm)
      }
    }
    let total = recorder.records.dropFirst().compactMap { $0["step_norm"] }
    #expect(total == recorder.velocities.map(\.norm))
  }

  private func velocityPairs(_ velocities: [UpdateVelocity]) -> [(Int, UpdateVelocity)] {
    velocities.enumerated().map { ($0.offset, $0.element) }
  }

  private func weight(_ module: AdapterSet<Float>.Module, _ snapshot: AdapterSnapshot) -> Matrix<Double> {
    var result = Matrix<Float>(rows: module.weight.rows, columns: module.weight.columns)
    module.weight.effectiveWeight(snapshot.modules[module.path]!.flatMap(\.values), into: &result.elements)
    return Matrix(result)
  }

  @Test func telemetryChangesNoOtherNumber() throws {
    let watched = try run().recorder
    let unwatched = try run({ $0.telemetry = .off }).recorder
    #expect(watched.snapshots == unwatched.snapshots)
    #expect(unwatched.velocities.isEmpty)
    for (a, b) in zip(watched.records, unwatched.records) {
      for (name, value) in b.columns where name != "seconds" { #expect(a[name] == value, "\(name)") }
      #expect(b["kl"] == nil && b["update_velocity"] == nil)
    }
  }

  @Test func theBaseIsNeverChanged() throws {
    let (_, _, trainer) = try run { $0.method = .pissa }
    #expect(trainer.model.base == (try PretrainedModel(path: folder.path)).parameters)
    // The reference of the KL divergence is the base itself, not PiSSA's residual, which knows nothing.
    let tokenizer = try #require(try PretrainedModel(path: folder.path).tokenizer)
    let batch = CompletionBatch([
      TokenGroup(prompt: try tokenizer.encode("R:abc="), completions: [try tokenizer.encode("cba;")])
    ])
    let scores = trainer.model.score(batch, with: .base).logProbabilities
    #expect(scores.reduce(0, +) > -0.1)
  }

  @Test func clippingActsFromTheSecondUpdateOn() throws {
    let once = try run { $0.learningRate = 2e-2 }.recorder
    #expect(once.records.dropFirst().allSatisfy { $0["clip_ratio_region_mean"] == 0 })
    let often = try run {
      $0.learningRate = 2e-2
      $0.updatesPerRollout = 4
    }.recorder
    #expect(often.records.dropFirst().contains { $0["clip_ratio_region_mean"]! > 0.01 })
  }

  /// The penalty pulls towards the base: with a large β the policy stays nearer to it.
  @Test func aPenaltyKeepsTheModelNearItsBase() throws {
    func kl(_ coefficient: Double) throws -> Double {
      try #require(
        try run {
          ($0.steps, $0.checkpointEvery) = (12, 12)
          $0.overrides.klCoefficient = coefficient
        }.recorder.records.last?["kl"])
    }
    #expect(try kl(3) < kl(0) / 2)
  }

  private func columns(_ records: [TrainingRecord]) -> [OrderedDictionary<String, Double>] {
    records.map { record in
      var columns = record.columns
      columns["seconds"] = nil
      return columns
    }
  }

  @Test func dynamicSamplingIsTheSameOnAnyNumberOfThreads() throws {
    let runs = try [1, 2, 3].map { threads in
      try run({ $0.objective = .dapo }, threads: threads).recorder
    }
    for run in runs.dropFirst() {
      #expect(run.snapshots == runs[0].snapshots)
      #expect(columns(run.records) == columns(runs[0].records))
    }
    let steps = runs[0].records.dropFirst()
    #expect(steps.allSatisfy { $0["sampling_rounds"]! >= 1 && $0["sampling_rounds"]! <= 10 })
    #expect(steps.contains { $0["sampling_rounds"]! > 1 && $0["frac_kept_groups"]! < 1 })
  }

  /// The first round is that of a run without: its rewards are those of prompts nobody has chosen.
  @Test func dynamicSamplingLeavesTheFirstRoundAsItIs() throws {
    func first(_ change: (inout TrainingConfiguration) -> Void) throws -> TrainingRecord {
      try run {
        ($0.steps, $0.adapter.rank) = (1, 4)
        change(&$0)
      }.recorder.records[1]
    }
    let plain = try first { _ in }
    let once = try first { ($0.overrides.dynamicSampling, $0.overrides.mostSamplingRounds) = (true, 1) }
    let often = try first { $0.overrides.dynamicSampling = true }
    let described = [
      "reward", "reward_std", "frac_reward_zero_std", "frac_all_pass", "frac_all_fail", "entropy", "kl",
      "completions_mean_length", "completions_clipped_ratio",
    ]
    for column in described { #expect(plain[column] == once[column] && plain[column] == often[column], "\(column)") }
    #expect(plain["sampling_rounds"] == nil && plain["frac_kept_groups"] == nil)
    #expect(once["sampling_rounds"] == 1)
    #expect(once["frac_kept_groups"] == 1 - plain["frac_reward_zero_std"]!)
    #expect(often["sampling_rounds"]! > 1 && often["grad_norm"] != once["grad_norm"])
    // Without groups that teach nothing the mean over tokens has fewer of them: the same slopes weigh more.
    #expect(once["grad_norm"]! > plain["grad_norm"]!)
  }

  /// A policy that always fails has no mixed group: the search ends, and nothing moves.
  @Test func dynamicSamplingGivesUp() throws {
    let (recorder, _, _) = try run {
      $0.objective = .dapo
      ($0.steps, $0.learningRate, $0.temperature) = (2, 1e-3, 1000)
      ($0.prompts, $0.overrides.mostSamplingRounds) = (2, 3)
    }
    for record in recorder.records.dropFirst() {
      #expect(record["sampling_rounds"] == 3 && record["frac_kept_groups"] == 0)
      #expect(record["loss"] == nil && record["step_norm"] == 0)
    }
  }

  /// The same completions and advantages under another divisor: gradients differ by the divisors' ratio alone.
  @Test func theConstantDivisorIsOfCompletionsTimesTheLongest() throws {
    func first(_ aggregation: PolicyLossOptions.Aggregation) throws -> TrainingRecord {
      try run {
        $0.steps = 1
        $0.overrides.aggregation = aggregation
      }.recorder.records[1]
    }
    let (token, constant) = (try first(.token), try first(.constant))
    let ratio = token["completions_mean_length"]! / 8
    #expect(abs(constant["grad_norm"]! / token["grad_norm"]! - ratio) < 1e-5)
    #expect(abs(constant["loss"]! / token["loss"]! - ratio) < 1e-9)
  }

  @Test func theObjectivesDiffer() throws {
    let runs = try TrainingConfiguration.Objective.allCases.map { objective in
      try run { $0.objective = objective }.recorder
    }
    for (index, run) in runs.enumerated() {
      #expect(run.records.dropFirst().allSatisfy { $0["loss"] != nil })
      for other in runs.dropFirst(index + 1) { #expect(run.snapshots != other.snapshots) }
    }
    let soft = try run { $0.overrides.overlong = .soft }.recorder.records
    #expect(soft.dropFirst().allSatisfy { -1 <= $0["length_penalty"]! && $0["length_penalty"]! < 0 })
    #expect(soft[1]["reward"] == runs[0].records[1]["reward"])
  }

  @Test func configurationsThatDoNotFitAreRefused() {
    func message(_ change: (inout TrainingConfiguration) -> Void) -> String {
      do {
        _ = try run(change)
        return "none"
      } catch {
        return "\(error)"
      }
    }
    #expect(
      message { $0.task = "chess" }
        == "expected a task among two-step-arithmetic, string-operations, counting, counting:2, counting:3, modular-sums, "
        + "modular-sums:2, modular-sums:3, sum-sequences, sum-sequences:2, sum-sequences:3, found chess")
    #expect(
      message { $0.adapter.rank = 100 }
        == "expected a rank of at most 64, the largest that model.layers.0.self_attn.q_proj takes, found 100")
  }
}
