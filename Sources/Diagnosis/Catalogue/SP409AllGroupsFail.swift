/// Every group of completions fails, so there is nothing to learn from.
enum AllGroupsFail: FindingKind {
  static let stretch = 5

  static let page = FindingPage(
    "SP409", "all-groups-fail", .alert,
    meaning:
      "In every group all completions have failed, five records in a row: rewards have no spread, and the gradient is zero.",
    harm: "The state is absorbing. A run that has been better does not come back from it.",
    evidence: "The share of groups that fail, and since when.",
    thresholds: [.exact("share of groups without a success, 5 records in a row", "1")],
    source:
      "GRPO's advantages are zero in a group of equal rewards. All-fail and all-pass look the same in frac_reward_zero_std."
  )

  static func remedy(for setup: RunSetup) -> String {
    "If it never was better: the task is too hard for the base, the answers are cut off, or the verifier is broken; look at "
      + "completions. If it was: go back to the last healthy checkpoint, at a lower rate."
  }

  static func judge(_ run: RunEvidence) -> Judgement {
    let failing = GroupOutcomes.failing(run)
    guard let point = failing.trailing(stretch, { $0.min()! }).points.first(where: { $0.value >= 1 }) else {
      return Judgement()
    }
    let start = failing.points[failing.points.lastIndex { $0.step == point.step }! - stretch + 1].step
    let wasBetter = failing.points.contains { $0.step < start && $0.value < 1 }
    return Judgement([
      finding(
        in: run, step: start, severity: wasBetter ? .alert : .warning, value: 1, threshold: 1,
        "from step \(start) on every group fails" + (wasBetter ? "" : ", as it did from the first record"))
    ])
  }
}

/// Groups whose completions all fail or all pass, told apart.
enum GroupOutcomes {
  /// The share of groups that fail, where it can be told.
  static func failing(_ run: RunEvidence) -> Series { share(run, "frac_all_fail") { $0 <= run.lowestReward } }

  /// The share of groups that pass.
  static func passing(_ run: RunEvidence) -> Series { share(run, "frac_all_pass") { $0 > run.lowestReward } }

  /// The column itself; without it, the share without spread at steps at which all groups are alike, where the mean reward tells which
  /// way.
  private static func share(_ run: RunEvidence, _ column: String, _ isThis: (Double) -> Bool) -> Series {
    let own = run.timeline[column]
    if !own.isEmpty { return own }
    let reward = run.timeline["reward"]
    return run.timeline["frac_reward_zero_std"].map { point in
      guard point.value >= 1 else { return 0 }
      guard let mean = reward.value(at: point.step) else { return nil }
      return isThis(mean) ? 1 : 0
    }
  }
}

extension RunEvidence {
  /// The least reward of the run, and at most zero: what a failure earns.
  fileprivate var lowestReward: Double { min(0, timeline["reward"].values.min() ?? 0) }
}
