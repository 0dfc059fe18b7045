/// The weights hold NaN at a step at which the log shows nothing.
enum HiddenNonFinite: FindingKind {
  static let page = FindingPage(
    "SP413", "hidden-non-finite", .alert,
    meaning: "A checkpoint holds NaN or infinity, and the trainer's log up to its step shows finite numbers only.",
    harm:
      "The run looks healthy and is dead: transformers replaces a loss that is not finite in its log unless it is told not to.",
    evidence: "The checkpoint's step, the tensor, and the loss that was logged there.",
    thresholds: [.exact("values that are not finite in the weights; in the log", "1; 0")],
    source: "transformers' logging_nan_inf_filter, which is on by default.")

  static func remedy(for setup: RunSetup) -> String {
    "Go back to the last healthy checkpoint, and train on with logging_nan_inf_filter=False to see the step."
  }

  static func judge(_ run: RunEvidence) -> Judgement {
    let broken = run.reading.filter { $0.code == NonFiniteValues.page.code }
    guard let first = broken.min(by: { $0.step ?? .max < $1.step ?? .max }), let step = first.step else {
      return Judgement()
    }
    let records = run.timeline.records.filter { $0.step <= step }
    guard !records.isEmpty, records.allSatisfy(\.nonFinite.isEmpty) else { return Judgement() }
    let loss = records.last { $0.values["loss"] != nil }.map {
      "a loss of \($0.values["loss"]!.brief) at step \($0.step)"
    }
    return Judgement([
      finding(
        in: run, step: step, module: first.module,
        "the weights at step \(step) are not finite, and the log shows \(loss ?? "finite numbers") and nothing unusual")
    ])
  }
}
