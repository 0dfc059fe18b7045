/// The policy grows less certain.
enum EntropyRising: FindingKind {
  static let page = FindingPage(
    "SP406", "entropy-rising", .info,
    meaning: "The policy's entropy has risen well above its own lowest value: healthy runs grow more certain.",
    harm: "Most collapses come with a rise of entropy, not with a fall: the policy becomes noise.",
    evidence: "The median of the last five steps, and the lowest such median before.",
    thresholds: [
      .calibrated(
        "rise over own lowest, nats a token", BehaviourBound.entropyRise.value.brief,
        falseAlarms: BehaviourBound.entropyRise.falseAlarms, misses: BehaviourBound.entropyRise.missed)
    ],
    source:
      "notebooks-data/corpus; contrary to what entropy-collapse detectors look for. It says nothing by itself: on bases and tasks that the bound is "
      + "not from, one clean run in six crosses it.")

  static let columns = ["entropy"]

  static func remedy(for setup: RunSetup) -> String {
    "Look at velocity and KL. An entropy bonus, a temperature above 1 or a clip that is too high on one side also raise it."
  }

  static func judge(_ run: RunEvidence) -> Judgement {
    let medians = run.timeline["entropy"].trailing(5) { Diagnosis.median($0)! }
    var lowest = Double.infinity
    for point in medians.points {
      if point.value > lowest + BehaviourBound.entropyRise.value {
        return Judgement([
          finding(
            in: run, step: point.step, earliest: run.timeline["entropy"].record(4, before: point.step),
            value: point.value, threshold: lowest + BehaviourBound.entropyRise.value,
            baseline: lowest,
            effectSize: (point.value - lowest) / BehaviourBound.entropyRise.value,
            "the policy's entropy has risen from \(lowest.brief) to \(point.value.brief) nats a token")
        ])
      }
      lowest = min(lowest, point.value)
    }
    return Judgement()
  }
}
