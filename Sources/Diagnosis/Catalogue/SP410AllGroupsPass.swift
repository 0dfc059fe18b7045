/// Every group of completions passes: the prompts are solved.
enum AllGroupsPass: FindingKind {
  static let stretch = 5

  static let page = FindingPage(
    "SP410", "all-groups-pass", .info,
    meaning:
      "In every group all completions pass, five records or more up to the last: rewards have no spread, and the gradient is zero.",
    harm: "Not bad, but nothing more is learned; steps that follow move the weights by momentum alone.",
    evidence: "The share of groups that pass, and since when.",
    thresholds: [.exact("share of groups without a failure, 5 records or more up to the last", "1")],
    source: "GRPO's advantages are zero in a group of equal rewards.")

  static let columns = ["frac_all_pass", "frac_reward_zero_std"]

  static func remedy(for setup: RunSetup) -> String { "Stop, or take harder prompts." }

  static func judge(_ run: RunEvidence) -> Judgement {
    guard let stretch = GroupOutcomes.passing(run).lastStretch, stretch.count >= Self.stretch else {
      return Judgement()
    }
    return Judgement([
      finding(in: run, step: stretch.step, value: 1, threshold: 1, "from step \(stretch.step) on every group passes")
    ])
  }
}
