/// The gradient's norm is far above its own past.
enum GradientSpike: FindingKind {
  static let leastRatio = 10.0

  static let page = FindingPage(
    "SP408", "gradient-spike", .warning,
    meaning: "The norm of the gradient is ten times its own recent median or more, beyond its usual spread.",
    harm: "One such batch can carry the weights away, and fills Adam's second moment for hundreds of steps.",
    evidence: "The norm, and the median of the twenty records before.",
    thresholds: [
      .derived(
        "norm ÷ median of the twenty before", "10, and p < 0.01 over all looks",
        falseAlarms: "at most 1 in 100 if the logarithm is normal",
        misses: "collapses: their gradients are mostly ordinary")
    ],
    source:
      "Predictive t distribution of its own past (Statistics). As a sign of collapse it is poor: none of the laboratory's 256 collapses showed one."
  )

  static let columns = ["grad_norm"]

  static func remedy(for setup: RunSetup) -> String {
    "Look at the batch. Clipping"
      + (setup.maximumGradientNorm.map { " at \($0.brief)" } ?? "")
      + " bounds what SGD does with it, not Adam: skip the step instead."
  }

  static func judge(_ run: RunEvidence) -> Judgement {
    let norms = run.timeline["grad_norm"].points.filter { $0.value > 0 }
    let width = 20
    guard norms.count > width else { return Judgement() }
    for index in width..<norms.count {
      let past = norms[(index - width)..<index].map(\.value)
      guard let middle = Diagnosis.median(past), let own = OwnPast(past, priorDeviation: 0.5) else { continue }
      let point = norms[index]
      let p = Sequential.adjusted(own.upperTail(point.value), look: index - width + 1)
      guard point.value >= leastRatio * middle, p < Sequential.level else { continue }
      return Judgement([
        finding(
          in: run, step: point.step, value: point.value, threshold: leastRatio * middle, baseline: middle, pValue: p,
          effectSize: point.value / middle,
          "the gradient's norm is \(point.value.brief), \((point.value / middle).brief) times the median of the \(width) records before"
        )
      ])
    }
    return Judgement()
  }
}
