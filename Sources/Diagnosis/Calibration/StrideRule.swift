import Spectra

/// What SP201 and SP202 have in common: the first stride beyond its method's bound in size or in shift. It alerts where both together are
/// too much, and warns where one is and the other makes up for it.
struct StrideRule {
  /// Which of the two numbers of a stride it looks at.
  enum Kind { case size, shift }

  let kind: Kind
  /// What such a step does, as a message says it before the value: "moves the weights by".
  let verb: String
  /// What the value is a part of.
  let whole: String

  /// The finding that alerts, or else the one that warns; and why others cannot be told.
  ///
  /// - Parameter page: the kind of finding that it is.
  func judge(_ run: RunEvidence, as page: any FindingKind.Type) -> Judgement {
    let strides = run.strides.filter { kind == .size || $0.shift != nil }
    guard !strides.isEmpty else { return Judgement() }
    if let gap = CalibratedRange.gap(of: run) { return Judgement(gaps: [gap]) }
    var gaps: [Gap] = []
    var warning: Finding?
    for stride in strides {
      if let gap = CalibratedRange.gap(ofStretch: stride.stretch) ?? CalibratedRange.gap(ofStep: stride.step) {
        gaps.append(gap)
        continue
      }
      guard let bounds = StrideBounds.at(spacing: stride.stretch), let method = bounds.methods[run.boundedMethod] else {
        return Judgement(gaps: [CalibratedRange.methodGap(of: run)])
      }
      let excess = StrideExcess(stride, over: method)
      guard ratio(excess) > 1 else { continue }
      if excess.total > bounds.alarm { return Judgement([finding(excess, bounds, method, in: run, as: page)]) }
      warning = warning ?? finding(excess, bounds, method, in: run, as: page)
    }
    return Judgement(warning.map { [$0] } ?? [], gaps: gaps.first.map { [$0] } ?? [])
  }

  private func ratio(_ excess: StrideExcess) -> Double { kind == .size ? excess.size : excess.shift ?? 0 }

  private func finding(
    _ excess: StrideExcess, _ bounds: StrideBounds, _ method: StrideBounds.Method, in run: RunEvidence,
    as page: any FindingKind.Type
  ) -> Finding {
    let stride = excess.stride
    let bound = kind == .size ? method.size : method.shift!
    let isAlert = excess.total > bounds.alarm
    let (cause, reason) = isAlert ? StrideCause.cause(of: excess, in: run) : (nil, whyNoAlert(excess))
    let (value, threshold, healthy) = (
      kind == .size ? stride.size : stride.shift!, bound.value * stride.usual, bound.healthy * stride.usual
    )
    var finding = page.finding(
      in: run, step: stride.step, severity: isAlert ? .alert : .warning,
      module: run.fastestModule(by: kind == .size ? .updateVelocity : .shiftVelocity, from: stride.step), value: value,
      threshold: threshold, baseline: healthy, pValue: bounds.pValue(excess.total), effectSize: ratio(excess),
      cause: cause,
      "a step \(verb) \(value.brief) of \(whole), summed over modules in quadrature, where healthy runs of \(run.method) "
        + "stay below \(healthy.brief) at this step and the bound is \(threshold.brief)\(reason)")
    finding.remedy = StepSizeRemedy.text(for: run.setup, learningRate: StepSizeRemedy.learningRate(for: run))
    return finding
  }

  private func whyNoAlert(_ excess: StrideExcess) -> String {
    guard let other = kind == .size ? excess.shift : excess.size, other <= 1 else {
      return "; by no more than a new base may"
    }
    return "; in \(kind == .size ? "their effect on singular values" : "size") the steps are as usual"
  }

  /// Of checkpoints at every step.
  var thresholds: [FindingPage.Threshold] {
    (StrideBounds.at(spacing: 1)?.methods ?? [:]).sorted { $0.key < $1.key }.compactMap { name, method in
      (kind == .size ? method.size : method.shift).map { bound in
        .calibrated(
          "\(name), a step ÷ (0.2 + 0.8/√step)", bound.value.brief,
          falseAlarms: "healthy runs reached \(bound.healthy.brief) (\(method.healthyRuns) runs)",
          misses: bound.collapsed.map { "collapsed ones began at \($0.brief) (\(method.collapsedRuns) runs)" }
            ?? "none collapsed")
      }
    }
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
