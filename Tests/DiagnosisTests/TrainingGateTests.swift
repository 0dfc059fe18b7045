import Diagnosis
import Spectra
import Testing

/// What the gate inside a run decides, given what it is told.
@Suite struct TrainingGateTests {
  private static func finding(step: Int) -> Finding {
    Finding(step: step, code: "SP404", name: "kl-velocity", severity: .alert, message: "")
  }

  /// A gate that is alarmed of any step whose KL is above 1, from the first one on.
  private func gate(
    _ action: TrainingGate.Options.Action, divisor: Double? = nil, most: Int = 3, learningRate: Double? = nil
  ) -> TrainingGate {
    var options = TrainingGate.Options()
    (options.action, options.rateDivisor, options.most) = (action, divisor, most)
    var setup = RunSetup()
    (setup.method, setup.learningRate) = ("lora", 1e-2)
    return TrainingGate(options, setup: setup) { run in
      run.timeline["kl"].points.first { $0.value > 1 }.map {
        TrainingGate.Alarm(Self.finding(step: $0.step), firstSickStep: $0.step, learningRate: learningRate)
      }
    }
  }

  private func decide(
    _ gate: inout TrainingGate, _ step: Int, kl: Double, checkpoints: [Int] = [0]
  ) -> TrainingGate.Decision {
    gate.decide(on: Timeline.Record(step: step, values: ["kl": kl])) { checkpoints }
  }

  private func rollback(_ decision: TrainingGate.Decision) -> (to: Int, factor: Double)? {
    if case .rollBack(_, let target, let factor) = decision { (target, factor) } else { nil }
  }

  private func stop(_ decision: TrainingGate.Decision) -> String? {
    if case .stop(_, let reason) = decision { reason ?? "" } else { nil }
  }

  @Test func withoutAnAlarmItGoesOn() {
    for action in TrainingGate.Options.Action.allCases {
      var gate = gate(action)
      for step in 1...9 { #expect(decide(&gate, step, kl: 0.5) == .goOn) }
      #expect(gate.interventions == 0)
    }
  }

  @Test func itStops() {
    var gate = gate(.stop)
    _ = decide(&gate, 1, kl: 0)
    #expect(stop(decide(&gate, 2, kl: 2)) == "")
  }

  @Test func aRefusedUpdateIsForgotten() {
    var gate = gate(.refuse, most: 2)
    #expect(decide(&gate, 1, kl: 0) == .goOn)
    // The record itself is of the rollout before the update, and stays: what it tells is no fault of this update.
    #expect(stop(decide(&gate, 2, kl: 2))?.hasPrefix("refusing the last update would not mend it") == true)
  }

  /// Strides are of the update, and go with it.
  @Test func aRefusalMendsWhatTheUpdateDid() {
    var options = TrainingGate.Options()
    (options.action, options.most) = (.refuse, 2)
    var gate = TrainingGate(options, setup: RunSetup()) { run in
      run.timeline["update_stride"].points.first { $0.value > 1 }.map {
        TrainingGate.Alarm(Self.finding(step: $0.step), firstSickStep: $0.step)
      }
    }
    func decide(_ step: Int, _ stride: Double) -> TrainingGate.Decision {
      gate.decide(on: Timeline.Record(step: step, values: ["update_stride": stride, "reward": 0.5])) { [] }
    }
    func isRefusal(_ decision: TrainingGate.Decision) -> Bool { if case .refuse = decision { true } else { false } }
    #expect(decide(1, 0.1) == .goOn)
    #expect(isRefusal(decide(2, 3)))
    #expect(decide(3, 0.1) == .goOn && gate.interventions == 1)
    #expect(isRefusal(decide(4, 3)))
    #expect(stop(decide(5, 3)) == "the gate has taken something back 2 times, which is as often as it may")
  }

  /// Behind a refusal Adam's next step is its first again, which may be as large.
  @Test func theStepBehindARefusalIsHeldAgainstTheFirst() {
    var setup = RunSetup()
    (setup.method, setup.trainer, setup.objective, setup.rank, setup.learningRate) = ("lora", .own, "grpo", 4, 1e-3)
    var policy = GatePolicy()
    policy.training.action = .refuse
    var gate = TrainingGate(policy, setup: setup)
    let bounds = StrideBounds.at(spacing: 1)!
    let most = bounds.methods["lora"]!.size.value * bounds.alarm
    func decide(_ step: Int, _ share: Double) -> TrainingGate.Decision {
      gate.decide(on: Timeline.Record(step: step, values: ["update_stride": share * most, "reward": 0.5])) { [] }
    }
    if case .refuse = decide(1, 1.2) {} else { Issue.record("the first step is refused") }
    // 0.2 + 0.8/√2 = 0.77 would be the most of a second step.
    #expect(decide(2, 0.9) == .goOn)
    if case .refuse = decide(3, 0.9) {} else { Issue.record("the next one is Adam's second") }
  }

  @Test func itGoesBackBeforeTheFirstSickStep() throws {
    var gate = gate(.rollBack, divisor: 4)
    for step in 1...5 { _ = decide(&gate, step, kl: 0) }
    let back = try #require(rollback(decide(&gate, 6, kl: 2, checkpoints: [0, 2, 4, 6])))
    #expect(back.to == 4 && back.factor == 0.25)
    // What it has gone back behind is forgotten.
    #expect(decide(&gate, 5, kl: 0) == .goOn && decide(&gate, 6, kl: 0) == .goOn)
    let again = try #require(rollback(decide(&gate, 7, kl: 2, checkpoints: [0, 4, 6])))
    #expect(again.to == 6 && again.factor == 1 / 16.0 && gate.interventions == 2)
  }

  @Test func withoutACheckpointItStops() {
    var gate = gate(.rollBack)
    #expect(stop(decide(&gate, 1, kl: 2, checkpoints: [1])) == "there is no checkpoint before step 1 to go back to")
  }

  /// The remedy's rate where there is one, and never a higher one.
  @Test(arguments: [(2e-3, 0.2), (nil, 1 / StepSizeRemedy.usualDivisor), (0.02, 1 / StepSizeRemedy.usualDivisor)])
  func theRateThatTheRemedyNames(rate: Double?, factor: Double) throws {
    var gate = gate(.rollBack, learningRate: rate)
    let back = try #require(rollback(decide(&gate, 1, kl: 2)))
    #expect(abs(back.factor - factor) < 1e-15)
  }

  @Test func itGoesOnAfterAnInterruption() {
    var gate = gate(.rollBack, divisor: 2, most: 2)
    gate.resume(
      (1...4).map { Timeline.Record(step: $0, values: ["kl": 0]) }, rateFactor: 0.5, interventions: 1)
    #expect(rollback(decide(&gate, 5, kl: 2, checkpoints: [0, 4])).map { $0.to == 4 && $0.factor == 0.25 } == true)
    #expect(stop(decide(&gate, 5, kl: 2, checkpoints: [0, 4])) != nil)
  }

  /// Of a model of another size than those that bounds are from nothing alarms, as in the verdict on its files.
  @Test func boundsHoldForModelsOfTheirKind() {
    func isAlarmed(order: Int) -> Bool {
      var setup = RunSetup()
      (setup.method, setup.trainer, setup.objective, setup.rank, setup.learningRate) = ("lora", .own, "grpo", 4, 1e-3)
      setup.largestOrder = order
      var gate = TrainingGate(GatePolicy(), setup: setup)
      return (1...10).contains { step in
        let increment = step < 5 ? 0.01 : 2 * BehaviourBound.klVelocity.value
        let record = Timeline.Record(step: step, values: ["kl_increment": increment, "reward": 0.5])
        return gate.decide(on: record, checkpoints: { [] }) != .goOn
      }
    }
    #expect(isAlarmed(order: 64) && !isAlarmed(order: 1536))
  }

  /// The gate of a policy is alarmed of what the verdict alerts of, and of nothing that the policy silences.
  @Test func thePolicyDecidesWhatAlarms() throws {
    var setup = RunSetup()
    (setup.method, setup.trainer, setup.objective, setup.rank, setup.learningRate) = ("lora", .own, "grpo", 4, 1e-3)
    func alarm(_ policy: GatePolicy) -> TrainingGate.Alarm? {
      var gate = TrainingGate(policy, setup: setup)
      for step in 1...10 {
        let record = Timeline.Record(
          step: step,
          values: ["kl_increment": step < 5 ? 0.01 : 2 * BehaviourBound.klVelocity.value, "reward": 0.5])
        if case .stop(let alarm, _) = gate.decide(on: record, checkpoints: { [] }) { return alarm }
      }
      return nil
    }
    // A median of five: its third large value is at step 7, and its first record at 3 is of the weights after step 2.
    let found = try #require(alarm(GatePolicy()))
    #expect(found.finding.code == "SP404" && found.finding.step == 7 && found.firstSickStep == 2)
    #expect(alarm(GatePolicy(rules: ["SP404": .init(isSilenced: true, reason: "known")])) == nil)
  }
}
