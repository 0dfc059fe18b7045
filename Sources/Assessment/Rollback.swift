import Diagnosis
import Spectra

/// Gates inside a run that are compared: all go back to a checkpoint when they are alarmed, and on at a lower learning rate.
package enum Rollback: String, CaseIterable, Sendable {
  /// Alarmed by the verdict, and on at the rate that its remedy names.
  case verdict
  /// Alarmed by the verdict, and on at a third of the rate.
  case verdictThird = "verdict-third"
  /// Alarmed where the reward has dropped from its peak, to which it goes back; on at a third of the rate.
  case rewardDrop = "reward-drop"
  /// Alarmed where the policy is too far from its reference; on at a third of the rate.
  case klLevel = "kl-level"

  /// - Parameter thresholds: for the two that look at one signal.
  package func gate(_ setup: RunSetup, _ thresholds: SignalThresholds) -> TrainingGate {
    var options = TrainingGate.Options()
    options.action = .rollBack
    if self != .verdict { options.rateDivisor = 3 }
    switch self {
    case .verdict, .verdictThird:
      var policy = GatePolicy()
      policy.training = options
      return TrainingGate(policy, setup: setup)
    case .rewardDrop: return Self.gate(on: .rewardDrop, options, setup, thresholds, since: Self.peak)
    case .klLevel:
      // A median of five.
      return Self.gate(on: .klLevel, options, setup, thresholds) { _, step in step - 4 }
    }
  }

  /// - Parameter since: the first record that tells of what alarmed, given the run and the step of the alarm.
  private static func gate(
    on signal: Signal, _ options: TrainingGate.Options, _ setup: RunSetup, _ thresholds: SignalThresholds,
    since: @escaping @Sendable (RunEvidence, Int) -> Int
  ) -> TrainingGate {
    let threshold = thresholds.values.first { $0.signal == signal }?.threshold ?? .infinity
    return TrainingGate(options, setup: setup) { run in
      guard let point = signal.series(of: run).last, point.value > threshold else { return nil }
      let finding = Finding(
        step: point.step, code: "", name: signal.rawValue, severity: .alert, value: point.value, threshold: threshold,
        message: "\(point.value.brief) is above \(threshold.brief)")
      // A record is of the weights before its step.
      return TrainingGate.Alarm(finding, firstSickStep: max(1, since(run, point.step) - 1))
    }
  }

  /// The record behind the last one whose mean was at its peak.
  private static func peak(of run: RunEvidence, until step: Int) -> Int {
    (Signal.rewardDrop.series(of: run).points.last { $0.value <= 0 }?.step ?? 0) + 1
  }
}

/// How a run of the test half ended under a gate.
package struct GatedRun: Equatable, Sendable {
  package var rollback: Rollback
  package var run: String
  package var label: RunLabel
  package var accuracy: Double
  /// How often the gate acted.
  package var interventions: Int

  package init(_ rollback: Rollback, run: String, label: RunLabel, accuracy: Double, interventions: Int) {
    (self.rollback, self.run, self.label) = (rollback, run, label)
    (self.accuracy, self.interventions) = (accuracy, interventions)
  }
}
