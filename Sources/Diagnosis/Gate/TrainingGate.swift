import Spectra

/// The gate inside a training run: what to do between an update and the next rollout, by what is known until then.
package struct TrainingGate: Sendable {
  /// How it acts: the part `training` of a policy.
  package struct Options: Equatable, Sendable {
    package enum Action: String, CaseIterable, Sendable {
      case stop
      /// Take the update back that the alarm is about, and go on with the next rollout.
      case refuse
      /// Go back to the last healthy checkpoint, and on from there at a lower learning rate.
      case rollBack = "roll-back"
    }

    package var action = Action.stop
    /// What a rollback divides the learning rate by; nil for the rate that the remedy names, or √30, the middle of 3 and 10, where it names none.
    package var rateDivisor: Double?
    /// How often it may take something back. The alarm after that stops the run.
    package var most = 3

    package init() {}
  }

  /// Why training should not go on as it does.
  package struct Alarm: Equatable, Sendable {
    package var finding: Finding
    /// The first step whose weights may be sick: a checkpoint before it is sound.
    package var firstSickStep: Int
    /// The learning rate that would mend it, where it is known.
    package var learningRate: Double?

    package init(_ finding: Finding, firstSickStep: Int, learningRate: Double? = nil) {
      (self.finding, self.firstSickStep, self.learningRate) = (finding, firstSickStep, learningRate)
    }
  }

  package enum Decision: Equatable, Sendable {
    case goOn
    /// - Parameter reason: why it stops where the policy says to take something back; nil where it says to stop.
    case stop(Alarm, reason: String?)
    case refuse(Alarm)
    /// - Parameter rateFactor: what the configured learning rate is multiplied by from now on.
    case rollBack(Alarm, to: Int, rateFactor: Double)
  }

  /// What raises an alarm.
  package typealias Judge = @Sendable (RunEvidence) -> Alarm?

  private let options: Options
  /// Of the run as it was configured.
  private let setup: RunSetup
  private let judge: Judge
  private var records: [Timeline.Record] = []
  private var rateFactor = 1.0
  /// How often it has taken something back.
  package private(set) var interventions = 0

  package var mayRefuse: Bool { options.action == .refuse }
  package var mayGoBack: Bool { options.action == .rollBack }

  /// - Parameter setup: of the run as it was configured.
  package init(_ options: Options, setup: RunSetup, judge: @escaping Judge) {
    (self.options, self.setup, self.judge) = (options, setup, judge)
  }

  /// The gate of a policy: what fails there raises the alarm.
  package init(_ policy: GatePolicy, setup: RunSetup) {
    self.init(policy.training, setup: setup) { Alarm($0, under: policy) }
  }

  /// Goes on in a run that was interrupted.
  ///
  /// - Parameter records: those up to where it goes on.
  package mutating func resume(_ records: [Timeline.Record], rateFactor: Double, interventions: Int) {
    (self.records, self.rateFactor, self.interventions) = (records, rateFactor, interventions)
  }

  /// What to do, given the next step's record.
  ///
  /// The cost is that of a verdict, which grows with the steps so far.
  ///
  /// - Parameter checkpoints: steps that the run can go back to, ascending; asked for where there is an alarm.
  package mutating func decide<Failure: Error>(
    on record: Timeline.Record, checkpoints: () throws(Failure) -> [Int]
  ) throws(Failure) -> Decision {
    records.append(record)
    guard let alarm = judge(evidence) else { return .goOn }
    if options.action != .stop, interventions >= options.most {
      return .stop(
        alarm, reason: "the gate has taken something back \(interventions) times, which is as often as it may")
    }
    switch options.action {
    case .stop: return .stop(alarm, reason: nil)
    case .refuse: return refusal(alarm)
    case .rollBack: return rollback(alarm, checkpoints: try checkpoints())
    }
  }

  private var evidence: RunEvidence {
    var setup = setup
    setup.learningRate = setup.learningRate.map { $0 * rateFactor }
    return RunEvidence(rows: [], timeline: Timeline(records), setup: setup)
  }

  private mutating func refusal(_ alarm: Alarm) -> Decision {
    records[records.count - 1] = records.last!.refused
    if judge(evidence) != nil {
      return .stop(alarm, reason: "refusing the last update would not mend it: the alarm is about what came before")
    }
    interventions += 1
    return .refuse(alarm)
  }

  private mutating func rollback(_ alarm: Alarm, checkpoints: [Int]) -> Decision {
    guard let target = checkpoints.last(where: { $0 < alarm.firstSickStep }) else {
      return .stop(alarm, reason: "there is no checkpoint before step \(alarm.firstSickStep) to go back to")
    }
    interventions += 1
    rateFactor *= share(alarm)
    records.removeAll { $0.step > target }
    return .rollBack(alarm, to: target, rateFactor: rateFactor)
  }

  /// What a rollback leaves of the learning rate.
  private func share(_ alarm: Alarm) -> Double {
    if let divisor = options.rateDivisor { return 1 / divisor }
    guard let wished = alarm.learningRate, let rate = setup.learningRate.map({ $0 * rateFactor }), wished < rate else {
      return 1 / StepSizeRemedy.usualDivisor
    }
    return wished / rate
  }
}

extension TrainingGate.Alarm {
  /// The first finding that fails under a policy; nil where none does. What cannot be judged raises no alarm.
  init?(_ run: RunEvidence, under policy: GatePolicy) {
    let failing = GateResult(on: run, policy: policy).entries.filter(\.fails).map(\.finding)
    guard let first = failing.first else { return nil }
    let steps = failing.compactMap(\.firstSickStep)
    self.init(
      first, firstSickStep: steps.min() ?? 0, learningRate: StepSizeRemedy.learningRate(for: run))
  }
}
