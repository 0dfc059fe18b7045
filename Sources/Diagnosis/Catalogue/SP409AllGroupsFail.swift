import Foundation

/// Every group of completions fails, so there is nothing to learn from.
enum AllGroupsFail: FindingKind {
  static let stretch = 5

  static let page = FindingPage(
    "SP409", "all-groups-fail", .alert,
    meaning:
      "In every group all completions have failed, from some record to the last, five at least: rewards have no spread, and the gradient is zero.",
    harm: "The state is absorbing. A run that has been better does not come back from it.",
    evidence: "The share of groups that fail, and since when.",
    thresholds: [
      .derived(
        "share of groups without a success, 5 records or more up to the last",
        "1, and p < 0.01 over all places to begin",
        falseAlarms: "0 of 398 healthy runs",
        misses: "122 of 256 collapsed ones")
    ],
    source:
      "GRPO's advantages are zero in a group of equal rewards. All-fail and all-pass look the same in frac_reward_zero_std."
  )

  static let columns = ["frac_all_fail", "frac_reward_zero_std"]

  static func remedy(for setup: RunSetup) -> String {
    "If it never was better: the task is too hard for the base, the answers are cut off, or the verifier is broken; look at "
      + "completions. If it was: go back to the last healthy checkpoint, at a lower rate."
  }

  static func judge(_ run: RunEvidence) -> Judgement {
    guard let stretch = GroupOutcomes.failing(run).lastStretch, stretch.count >= Self.stretch else {
      return Judgement()
    }
    // Few groups a step all fail now and then; from so many in a row chance has to be ruled out.
    guard !stretch.wasDifferent || stretch.pValue < Sequential.level else { return Judgement() }
    return Judgement([
      finding(
        in: run, step: stretch.step, earliest: stretch.step, severity: stretch.wasDifferent ? .alert : .warning,
        value: 1, threshold: 1,
        pValue: stretch.wasDifferent ? stretch.pValue : nil,
        "from step \(stretch.step) on every group fails"
          + (stretch.wasDifferent ? "" : ", as it did from the first record"))
    ])
  }
}

/// Groups whose completions all fail or all pass, told apart.
struct GroupOutcomes {
  /// The share of such groups by step, where it can be told.
  let shares: Series

  static func failing(_ run: RunEvidence) -> GroupOutcomes {
    let rewards = run.timeline["reward"].values
    return GroupOutcomes(run, "frac_all_fail") { $0 <= min(0, rewards.min() ?? 0) }
  }

  static func passing(_ run: RunEvidence) -> GroupOutcomes {
    let rewards = run.timeline["reward"].values
    return GroupOutcomes(run, "frac_all_pass") { $0 >= 0.999 * max(1, rewards.max() ?? 1) }
  }

  /// The column itself; without it, the share without spread at steps at which all groups are alike, where only a mean reward at the least or
  /// at the most tells that all are alike in the same way.
  private init(_ run: RunEvidence, _ column: String, _ isThis: (Double) -> Bool) {
    let own = run.timeline[column]
    let reward = run.timeline["reward"]
    shares =
      own.isEmpty
      ? run.timeline["frac_reward_zero_std"].map { point in
        reward.value(at: point.step).map { point.value >= 1 && isThis($0) ? 1 : 0 }
      } : own
  }

  /// The records at the end in which all groups are so.
  struct Stretch {
    var step: Int
    var count: Int
    /// True where earlier records were not so.
    var wasDifferent: Bool
    /// The chance of so many in a row if each has that of a record before, for any of the places at which such a stretch may begin.
    var pValue: Double
  }

  var lastStretch: Stretch? {
    let points = shares.points
    guard let last = points.last, last.value >= 1 else { return nil }
    let start = points.lastIndex { $0.value < 1 }.map { $0 + 1 } ?? 0
    let before = points[..<start].count { $0.value >= 1 }
    let chance = Double(before + 1) / Double(start + 2)
    let count = points.count - start
    return Stretch(
      step: points[start].step, count: count, wasDifferent: start > 0,
      pValue: min(1, pow(chance, Double(count)) * Double(points.count)))
  }
}
