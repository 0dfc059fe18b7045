import Spectra

/// Steps have become much larger than the run's own first ones, and the learning rate does not say why.
enum VelocityJump: FindingKind {
  /// Times its own past: the largest of 376 healthy laboratory runs is 3.5.
  static let leastRatio = 4.0
  /// The spread of the logarithm of velocity ÷ (rate · unit_step) over a run: nine of ten of those runs have less.
  static let healthyDeviation = 0.38

  static let page = FindingPage(
    "SP203", "velocity-jump", .alert, cause: .stepSize,
    meaning:
      "A step moves the weights several times as far as the run's own first steps did, more than its learning rate "
      + "and the growth of its factors account for.",
    harm:
      "The optimiser has lost its scale: a spike of the gradient behind a small second moment, a rate that was changed, weights "
      + "that run away. The weights after it are not those that were being trained.",
    evidence:
      "Velocity ÷ (learning rate · unit_step), now and over the first checkpoints, and the module that jumps most.",
    thresholds: [
      .provisional(
        "velocity ÷ own past", "4 times, and p < 0.01 over all looks",
        falseAlarms:
          "0 of 376 healthy runs, from which the factor was taken; at most 1 in 100 if the logarithm is normal",
        misses: "a run that is too fast from its first step on, which has no calm past: SP201 is for that")
    ],
    source: "Predictive t distribution of the run's own first values, with spending over looks (Statistics).")

  static func remedy(for setup: RunSetup) -> String {
    "Go back to the last healthy checkpoint. Look for a change of the rate or of the data there; lower Adam's β₂ or clip the "
      + "update, not the gradient, if single batches do this."
  }

  static func judge(_ run: RunEvidence) -> Judgement {
    let pace = OwnPace(run)
    guard let past = pace.past else {
      // Where a calibrated bound holds, the run need not be held against itself.
      guard !pace.series.isEmpty,
        (CalibratedRange.gap(of: run) ?? CalibratedRange.gap(ofStretch: run.velocitySpacing ?? 1)) != nil
      else {
        return Judgement()
      }
      return Judgement(gaps: [
        Gap(
          .data,
          "the run's own past: that needs at least \(OwnPace.least) stretches between checkpoints, and there are \(pace.series.count)"
        )
      ])
    }
    for (look, point) in pace.later.enumerated() {
      let p = Sequential.adjusted(past.upperTail(point.value), look: look + 1)
      let ratio = point.value / past.center
      guard ratio >= leastRatio, p < Sequential.level else { continue }
      let module = pace.module(jumpingMostAt: point.step)
      let (unit, severity): (String, Severity) =
        pace.isPerRate
        ? (" at an equal rate", .alert) : (", and no learning rate is known that would explain it", .warning)
      return Judgement([
        finding(
          in: run, step: point.step, severity: severity, module: module, value: point.value,
          threshold: leastRatio * past.center,
          baseline: past.center, pValue: p, effectSize: ratio,
          "a step moves the weights \(ratio.brief) times as far as at the start of the run\(unit)")
      ])
    }
    return Judgement()
  }
}

/// The velocity of a run, freed of what its learning rate and the size of its factors explain, and its own first values.
struct OwnPace {
  /// Values that a baseline needs, with one more to be held against it.
  static let least = 4

  /// Steps that Adam's first moment remembers, 1/(1 − 0.9): a step is as large as the rates of so many before it allow.
  private static let memory = 10

  let series: Series
  let isPerRate: Bool
  private let run: RunEvidence

  init(_ run: RunEvidence) {
    self.run = run
    let units = run.total(.unitStep, run.sizeDelta)
    let velocity = run.updateVelocity
    isPerRate = velocity.points.allSatisfy { run.largestRate(upTo: $0.step, over: 1) != nil }
    let isPerRate = isPerRate
    let memory = max(Self.memory, run.velocitySpacing ?? 1)
    series = velocity.map { point in
      guard point.value > 0 else { return nil }
      var pace = point.value
      if isPerRate {
        guard let rate = run.largestRate(upTo: point.step, over: memory), rate > 0 else { return nil }
        pace /= rate
      }
      // The factors as they were when the step was taken, as far as a checkpoint tells.
      guard !units.isEmpty else { return pace }
      let unit = units.points.last { $0.step <= point.step } ?? units.points[0]
      return unit.value > 0 ? pace / unit.value : nil
    }
  }

  /// The first quarter of the values, three at least and ten at most.
  private var baselineCount: Int { min(10, max(Self.least - 1, series.count / 4)) }

  var past: OwnPast? {
    guard series.count >= Self.least else { return nil }
    return OwnPast(Array(series.values.prefix(baselineCount)), priorDeviation: VelocityJump.healthyDeviation)
  }

  var later: ArraySlice<Series.Point> { series.points.dropFirst(baselineCount) }

  /// The module whose velocity has grown most against its own first value, where checkpoints tell.
  func module(jumpingMostAt step: Int) -> String? {
    run.modules.compactMap { module -> (String, Double)? in
      let own = run.series(.updateVelocity, .previous, of: module)
      guard let first = own.points.first(where: { $0.value > 0 }),
        let now = own.points.first(where: { $0.step >= step }),
        now.step > first.step
      else { return nil }
      return (module, now.value / first.value)
    }.max { $0.1 < $1.1 }?.0
  }
}
