import Foundation
import Spectra

/// What SP201 and SP202 have in common: the first stride beyond its method's bound in size or in shift. It alerts where both together are
/// too much, and warns where one is and the other makes up for it.
struct StrideRule {
  /// Which of the two numbers of a stride it looks at.
  enum Kind { case size, shift }

  /// What a finding is made of.
  struct Excess {
    var step: Int
    var severity: Severity
    var module: String?
    var value: Double
    var bound: Double
    var healthy: Double
    var pValue: Double
    var effectSize: Double
    var cause: Cause?
    /// Why it is that cause, to end the message with; empty where there is nothing to say.
    var reason: String
    var remedy: String
  }

  let kind: Kind

  /// The finding that alerts, or else the one that warns; and why others cannot be told.
  func judge(_ run: RunEvidence, _ finding: (Excess) -> Finding) -> Judgement {
    let strides = run.strides.filter { kind == .size || $0.shift != nil }
    guard !strides.isEmpty else { return Judgement() }
    if let gap = CalibratedRange.gap(of: run) { return Judgement(gaps: [gap]) }
    var gaps: [Gap] = []
    var warning: StrideExcess?
    for stride in strides {
      if let gap = CalibratedRange.gap(ofStretch: stride.stretch) ?? CalibratedRange.gap(ofStep: stride.step) {
        gaps.append(gap)
        continue
      }
      guard let bounds = StrideBounds.at(spacing: stride.stretch),
        let excess = bounds.excess(of: stride, method: run.boundedMethod)
      else {
        return Judgement(gaps: [CalibratedRange.methodGap(of: run)])
      }
      guard ratio(excess) > 1 else { continue }
      if excess.total > bounds.alarm { return Judgement([finding(evidence(excess, in: run))]) }
      warning = warning ?? excess
    }
    return Judgement(warning.map { [finding(evidence($0, in: run))] } ?? [], gaps: gaps.first.map { [$0] } ?? [])
  }

  /// Of checkpoints at every step.
  var thresholds: [FindingPage.Threshold] {
    (StrideBounds.at(spacing: 1)?.methods ?? [:]).sorted { $0.key < $1.key }.compactMap { name, method in
      (kind == .size ? method.size : method.shift).map { bound in
        .calibrated(
          "\(name), a step ÷ 0.2 + 0.8/√step", bound.value.brief,
          falseAlarms: "healthy runs reached \(bound.healthy.brief) (\(method.healthyRuns) runs)",
          misses: bound.collapsed.map { "collapsed ones began at \($0.brief) (\(method.collapsedRuns) runs)" }
            ?? "none collapsed")
      }
    }
  }

  private static func whyNoAlert(_ excess: StrideExcess, _ kind: Kind) -> String {
    guard let other = kind == .size ? excess.shift : excess.size, other <= 1 else {
      return "; by no more than a new base may"
    }
    return "; in \(kind == .size ? "their effect on singular values" : "size") the steps are as usual"
  }

  private func ratio(_ excess: StrideExcess) -> Double { kind == .size ? excess.size : excess.shift ?? 0 }

  private func evidence(_ excess: StrideExcess, in run: RunEvidence) -> Excess {
    let stride = excess.stride
    let bounds = StrideBounds.at(spacing: stride.stretch)!
    let method = bounds.methods[run.boundedMethod]!
    let bound = kind == .size ? method.size : method.shift!
    let isAlert = excess.total > bounds.alarm
    let (cause, reason) = isAlert ? StrideCause.cause(of: excess, in: run) : (nil, "")
    return Excess(
      step: stride.step, severity: isAlert ? .alert : .warning,
      module: run.fastestModule(by: kind == .size ? .updateVelocity : .shiftVelocity, from: stride.step),
      value: kind == .size ? stride.size : stride.shift!, bound: bound.value * stride.usual,
      healthy: bound.healthy * stride.usual, pValue: bounds.pValue(excess.total), effectSize: ratio(excess),
      cause: cause,
      reason: isAlert ? reason : Self.whyNoAlert(excess, kind),
      remedy: StepSizeRemedy.text(for: run.setup, learningRate: StepSizeRemedy.learningRate(for: run)))
  }
}

/// Whether it is the size of the steps that is too much, or where they go.
enum StrideCause {
  /// A method that begins in leading directions and never moves as fast as would alarm of LoRA, which begins at random, is not too fast but goes
  /// the wrong way.
  static func cause(of excess: StrideExcess, in run: RunEvidence) -> (Cause?, reason: String) {
    let end = RewardFalling.judge(run).findings.first?.step ?? .max
    let strides = run.strides.filter { $0.step <= max(end, excess.stride.step) }
    guard StartDirections.isPrincipal(run.setup),
      let lora = StrideBounds.at(spacing: excess.stride.stretch)?.methods["lora"],
      let most = strides.map(\.relativeSize).max(), most <= lora.size.value
    else { return (.stepSize, "") }
    return (.direction, "; steps of this size LoRA bears: it is where they go")
  }
}
