/// The policy has little left to explore with.
enum EntropyExhausted: FindingKind {
  static let page = FindingPage(
    "SP407", "entropy-exhausted", .info,
    meaning:
      "The policy's entropy has fallen below 0.18 nats a token and to less than half of its start, with a reward below 0.9 that has stopped rising.",
    harm: "Without entropy groups become uniform and learning slows: most of the gain is made while entropy is spent.",
    evidence: "The median of the last five steps, and of the first five.",
    thresholds: [
      .derived(
        "entropy, nats a token; share of the start", "0.18; ½",
        falseAlarms: "common: healthy runs spend their entropy, too",
        misses: "unknown")
    ],
    source: "arXiv 2606.18487 (0.18 nats, a fall by half); 2505.22617.")

  static let columns = ["entropy"]

  static func remedy(for setup: RunSetup) -> String {
    "Nothing while the reward still rises. Otherwise a higher clip on the upper side, harder prompts or a higher temperature."
  }

  static func judge(_ run: RunEvidence) -> Judgement {
    let medians = run.timeline["entropy"].trailing(5) { Diagnosis.median($0)! }
    let reward = run.timeline["reward"].trailing(5, Diagnosis.mean)
    guard let start = medians.points.first?.value, let now = medians.last, now.value < 0.18, now.value < start / 2,
      let earned = reward.last?.value, earned < 0.9, earned <= reward.points.dropLast(10).last?.value ?? earned
    else { return Judgement() }
    return Judgement([
      finding(
        in: run, step: now.step, value: now.value, threshold: 0.18, baseline: start,
        pValue: HealthyRuns.pValue(beyond: 73, in: run), effectSize: now.value / start,
        "the policy's entropy has fallen from \(start.brief) to \(now.value.brief) nats a token at a reward of \(earned.brief)"
      )
    ])
  }
}
