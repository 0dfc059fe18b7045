/// Every group of completions passes: the prompts are solved.
enum AllGroupsPass: FindingKind {
  static let stretch = 5

  static let page = FindingPage(
    "SP410", "all-groups-pass", .info,
    meaning:
      "In every group all completions pass, five records in a row: rewards have no spread, and the gradient is zero.",
    harm: "Not bad, but nothing more is learned; steps that follow move the weights by momentum alone.",
    evidence: "The share of groups that pass, and since when.",
    thresholds: [.exact("share of groups without a failure, 5 records in a row", "1")],
    source: "GRPO's advantages are zero in a group of equal rewards.")

  static func remedy(for setup: RunSetup) -> String { "Stop, or take harder prompts." }

  static func judge(_ run: RunEvidence) -> Judgement {
    let passing = GroupOutcomes.passing(run)
    guard let point = passing.trailing(stretch, { $0.min()! }).points.first(where: { $0.value >= 1 }) else {
      return Judgement()
    }
    let start = passing.points[passing.points.lastIndex { $0.step == point.step }! - stretch + 1].step
    return Judgement([finding(in: run, step: start, value: 1, threshold: 1, "from step \(start) on every group passes")]
    )
  }
}
