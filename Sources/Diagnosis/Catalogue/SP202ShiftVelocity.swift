/// Each step moves singular values of the weights further than any healthy run of the method did.
enum ShiftVelocity: FindingKind {
  private static let rule = StrideRule(kind: .shift, verb: "moves singular values by", whole: "the weights' norms")

  static let page = FindingPage(
    "SP202", "shift-velocity", .alert,
    meaning:
      "A step moves the first and last singular values of the weights further than healthy laboratory runs of this "
      + "method do.",
    harm:
      "These are the directions that carry what the model knows. Of all signals in weights this one is nearest to being the "
      + "same number for every method that moves weights freely.",
    evidence: "√Σ(uⱼᵀδWvⱼ/‖W₀‖_F)² of a step, over directions and modules, and the method's bound at that step. "
      + "Severity and cause are found as for update-velocity.",
    thresholds: rule.thresholds,
    source: "notebooks-data/corpus; first-order perturbation of singular values, Δσⱼ ≈ uⱼᵀδWvⱼ.")

  static func remedy(for setup: RunSetup) -> String { StepSizeRemedy.text(for: setup) }

  static func judge(_ run: RunEvidence) -> Judgement { rule.judge(run, as: Self.self) }
}
