/// The KL reference of a run that changed its base is the residual base, not the base.
enum DisabledAdapterReference: FindingKind {
  static let page = FindingPage(
    "SP509", "disabled-adapter-reference", .warning, cause: .loadMismatch,
    meaning:
      "The run has a KL term, and its method moved a part of the base into the adapter. Trainers that take \"adapters disabled\" as "
      + "reference then measure the KL to the residual base.",
    harm:
      "The residual base is no language model: the leading part of its weights is missing. The KL and its penalty are about nothing.",
    evidence: "That kl is logged, or the coefficient, and the method.",
    thresholds: [.exact("a KL term, with a base that lost s·B₀·A₀", "1")],
    source: "PEFT's disable_adapter as TRL uses it for a reference.")

  static func remedy(for setup: RunSetup) -> String {
    "Give the trainer a reference model of its own (the original base), or set the KL coefficient to 0."
  }

  static func judge(_ run: RunEvidence) -> Judgement {
    // Our own core measures KL to the base itself.
    guard run.setup.trainer == .other, run.setup.subtractsStart == true else { return Judgement() }
    let kl = run.timeline["kl"]
    guard !kl.isEmpty || run.setup.klCoefficient ?? 0 > 0 else { return Judgement() }
    let first = kl.points.first.map { ": the log has a KL of \($0.value.brief) at step \($0.step)" } ?? ""
    return Judgement([
      finding(
        in: run, step: kl.points.first?.step,
        "the run has a KL term, and with adapters disabled its model is the residual base, not the base\(first)")
    ])
  }
}
