/// Completions grow until they are cut off.
enum LengthRunaway: FindingKind {
  static let page = FindingPage(
    "SP411", "length-runaway", .warning,
    meaning:
      "More than half of the completions are cut off at the longest length, at least twice as many as at the start, and their mean "
      + "length has grown by half.",
    harm: "Answers that are cut off earn nothing whatever they would have said; the gradient then teaches length.",
    evidence: "Mean length and share that is cut off, now and over the first five records.",
    thresholds: [
      .provisional(
        "share cut off; growth of mean length", "½; 1.5", falseAlarms: BehaviourErrors.length, misses: "unknown")
    ],
    source: "TRL's completions/clipped_ratio; DAPO's overlong filter (arXiv 2503.14476).")

  static let columns = ["completions_clipped_ratio"]

  static func remedy(for setup: RunSetup) -> String {
    "Allow longer completions, filter or punish those that are cut off"
      + (setup.objective == "dapo" ? " (dapo filters them already)" : " (dapo's overlong filter)")
      + ", or average the loss over tokens."
  }

  static func judge(_ run: RunEvidence) -> Judgement {
    let cut = run.timeline["completions_clipped_ratio"].trailing(5, Diagnosis.mean)
    let length = run.timeline["completions_mean_length"].trailing(5, Diagnosis.mean)
    guard let cutAtStart = cut.points.first?.value, let lengthAtStart = length.points.first?.value else {
      return Judgement()
    }
    for point in cut.points where point.value > 0.5 && point.value >= 2 * cutAtStart {
      guard let now = length.value(at: point.step), now >= 1.5 * lengthAtStart else { continue }
      return Judgement([
        finding(
          in: run, step: point.step, earliest: run.timeline["completions_clipped_ratio"].record(4, before: point.step),
          value: point.value, threshold: 0.5, baseline: cutAtStart,
          pValue: HealthyRuns.pValue(beyond: 0, in: run),
          effectSize: now / lengthAtStart,
          "\((100 * point.value).brief) % of the completions are cut off, and their mean length has grown from "
            + "\(lengthAtStart.brief) to \(now.brief) tokens")
      ])
    }
    return Judgement()
  }
}
