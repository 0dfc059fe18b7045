import Spectra

/// Each step moves singular values of the weights further than any healthy run of the method did.
enum ShiftVelocity: FindingKind {
  static let page = FindingPage(
    "SP202", "shift-velocity", .alert,
    meaning:
      "A step moves the first and last singular values of the weights further than any healthy laboratory run of this "
      + "method did.",
    harm:
      "These are the directions that carry what the model knows. Of all signals in weights this one is nearest to being the "
      + "same number for every method that moves weights freely.",
    evidence: "√Σ(uⱼᵀδWvⱼ)²/‖W₀‖_F of a step, of all modules together, and the method's bound. "
      + "The cause is found as for update-velocity.",
    thresholds: StrideRule(kind: .shift).thresholds,
    source: "notebooks-data/laboratory; first-order perturbation of singular values, Δσⱼ ≈ uⱼᵀδWvⱼ.")

  static func remedy(for setup: RunSetup) -> String { StepSizeRemedy.text(for: setup) }

  static func judge(_ run: RunEvidence) -> Judgement {
    StrideRule(kind: .shift).judge(run) {
      var finding = finding(
        in: run, step: $0.step, severity: $0.severity, module: $0.module, value: $0.value, threshold: $0.bound,
        baseline: $0.healthy, pValue: $0.pValue, effectSize: $0.effectSize, cause: $0.cause,
        "a step moves singular values by \($0.value.brief) of the weights' norms, summed over modules in quadrature, where healthy runs of "
          + "\(run.method) stay below \($0.healthy.brief) at this step and the bound is \($0.bound.brief)\($0.reason)")
      finding.remedy = $0.remedy
      return finding
    }
  }
}
