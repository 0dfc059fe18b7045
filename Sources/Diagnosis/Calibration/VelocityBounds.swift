import Spectra

/// How fast healthy runs of each method move, and what follows for one that is faster.
///
/// The calibration's statistic is the largest velocity of a whole run, before its onset if it collapsed. So holding the largest velocity so
/// far against it at every checkpoint inflates nothing: it can only grow to what the whole run's would be.
package struct VelocityBounds: Sendable {
  /// Of one method at one spacing of checkpoints.
  package struct Bound: Sendable {
    package var method: String
    /// Whether the rate rises to its full size. Where it does not, Adam's first steps are its largest, and say little of later ones.
    package var warmsUp: Bool
    /// The largest of the healthy runs.
    package var healthy: Double
    /// The smallest of the collapsed runs that were seen coming; nil where none collapsed.
    package var collapsed: Double?
    /// How many of each.
    package var healthyRuns: Int
    package var collapsedRuns: Int
    /// The smallest and largest learning rate among them.
    var rates: ClosedRange<Double>

    /// In the middle between the two, in logarithms; where none collapsed, twice the largest healthy one.
    package var value: Double { collapsed.map { (healthy * $0).squareRoot() } ?? 2 * healthy }
  }

  /// What an alert is made of.
  struct Excess {
    var step: Int
    var module: String?
    var value: Double
    var bound: Double
    var healthy: Double
    var pValue: Double
    var cause: Cause
    /// Why it is that cause, to end the message with; empty where there is nothing to say.
    var reason: String
  }

  /// By the number of steps from one measurement to the next.
  package let bySpacing: [Int: [Bound]]
  /// The healthy runs' largest velocities ÷ their bound, of all methods, ascending.
  let healthyRatios: [Double]
  /// How often the bounds err on runs that they were not taken from.
  package let errors: HeldOutErrors

  /// Counts on runs of other seeds than the calibration's.
  package struct HeldOutErrors: Sendable {
    package var falseAlarms: Int
    package var healthyRuns: Int
    package var misses: Int
    package var collapsedRuns: Int
  }

  /// The chance that a healthy run's largest velocity is so many times its bound: the share of the calibration's healthy runs, this
  /// one counted among them (a conformal p-value, valid if the run is one of their kind).
  func pValue(ratio: Double) -> Double {
    let beyond = healthyRatios.count { $0 >= ratio }
    return Double(beyond + 1) / Double(healthyRatios.count + 1)
  }

  /// The bound for a run at a spacing: that of the largest calibrated spacing that is not larger, which is never too low, as a mean
  /// over more steps is no larger.
  func bound(for run: RunEvidence, spacing: Int) -> Bound? { bound(of: run.method, for: run, spacing: spacing) }

  private func bound(of method: String, for run: RunEvidence, spacing: Int) -> Bound? {
    guard let known = bySpacing.keys.filter({ $0 <= spacing }).max() else { return nil }
    return bySpacing[known]!.first { $0.method == method && $0.warmsUp == run.warmsUp }
  }

  /// Size, or where the steps go: a method that begins in leading directions and never moves as fast as would alarm of LoRA, which begins at
  /// random, is not too fast but goes the wrong way.
  private static func cause(in run: RunEvidence) -> (Cause, reason: String) {
    let spacing = run.velocitySpacing ?? 1
    let end = RewardFalling.judge(run).findings.first?.step ?? .max
    guard StartDirections.isPrincipal(run.setup), let lora = update.bound(of: "lora", for: run, spacing: spacing),
      let most = run.updateVelocity.upTo(end).maximum?.value, most <= lora.value
    else { return (.stepSize, "") }
    return (
      .direction, "; steps of up to \(most.brief) of the norm, as this run takes, LoRA bears: it is where they go"
    )
  }

  var thresholds: [FindingPage.Threshold] {
    bySpacing[1]!.map { bound in
      .provisional(
        "\(bound.method)\(bound.warmsUp ? " with a warm-up" : ""), a step", bound.value.brief,
        falseAlarms: "\(errors.falseAlarms) of \(errors.healthyRuns) healthy runs of other seeds, all methods",
        misses: "\(errors.misses) of \(errors.collapsedRuns) collapsed ones, before their onset")
    }
  }

  /// The first step at which a velocity is beyond its bound, or why that cannot be said.
  func judge(
    _ run: RunEvidence, _ velocity: Series, _ metric: Metric, _ finding: (Excess) -> Finding
  ) -> Judgement {
    guard !velocity.isEmpty else { return Judgement() }
    if let gap = CalibratedRange.gap(of: run) { return Judgement(gaps: [gap]) }
    let isLogged = !run.timeline[metric.rawValue].isEmpty
    var gaps: [Gap] = []
    for point in velocity.points {
      let stretch = isLogged ? 1 : run.stretch(to: point.step)
      if let gap = CalibratedRange.gap(ofStretch: stretch) {
        gaps.append(gap)
        continue
      }
      guard let bound = bound(for: run, spacing: stretch) else {
        return Judgement(gaps: [CalibratedRange.methodGap(of: run)])
      }
      guard point.value > bound.value else {
        if let gap = CalibratedRange.rateGap(of: run, bound) { gaps.append(gap) }
        continue
      }
      return Judgement([finding(excess(in: run, point, bound, metric))])
    }
    return Judgement(gaps: gaps.first.map { [$0] } ?? [])
  }

  private func excess(in run: RunEvidence, _ point: Series.Point, _ bound: Bound, _ metric: Metric) -> Excess {
    let fastest = run.modules.compactMap { module -> (String, Double)? in
      run.series(metric, .previous, of: module).points.first { $0.step >= point.step }.map { (module, $0.value) }
    }.max { $0.1 < $1.1 }
    let (cause, reason) = Self.cause(in: run)
    return Excess(
      step: point.step, module: fastest?.0, value: point.value, bound: bound.value, healthy: bound.healthy,
      pValue: pValue(ratio: point.value / bound.value), cause: cause, reason: reason)
  }
}
