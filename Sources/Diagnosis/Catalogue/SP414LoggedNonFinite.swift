/// The log holds NaN or infinity.
enum LoggedNonFinite: FindingKind {
  static let page = FindingPage(
    "SP414", "logged-non-finite", .warning,
    meaning: "The trainer logged NaN or infinity.",
    harm: "If the step was taken, the weights are lost; if it was skipped, learning at that step was.",
    evidence: "The step and the columns.",
    thresholds: [.exact("numbers of the log that are not finite", "1")],
    source: "IEEE 754; the log.")

  static func remedy(for setup: RunSetup) -> String {
    "Look for an overflow in half precision, a group's zero deviation as divisor, or a loss over no tokens at that step."
  }

  static func judge(_ run: RunEvidence) -> Judgement {
    let broken = run.timeline.records.filter { !$0.nonFinite.isEmpty }
    guard let first = broken.first else { return Judgement() }
    let more = broken.count > 1 ? ", the first of \(broken.count) such records" : ""
    return Judgement([
      finding(
        in: run, step: first.step, value: Double(broken.count), threshold: 0,
        "the log has no finite \(first.nonFinite.sorted().joined(separator: ", ")) at step \(first.step)\(more)")
    ])
  }
}
