import Spectra

/// Each step moves the weights further than any healthy run of the method did.
enum UpdateVelocity: FindingKind {
  static let page = FindingPage(
    "SP201", "update-velocity", .alert,
    meaning:
      "A step moves the weights by a larger part of their norm than any healthy laboratory run of this method did.",
    harm:
      "Velocity is what comes before a collapse: it is too high from the first steps on, while the reward still rises. Beyond "
      + "the bound the policy changes faster than its gradient, taken at the old weights, is worth.",
    evidence:
      "‖δW‖_F/‖W₀‖_F of a step, of all modules together, the method's bound, the module that moves most for its size. "
      + "The cause is the size of the steps, or for a method that begins in leading directions their direction, where LoRA bears the size.",
    thresholds: VelocityBounds.update.thresholds,
    source:
      "notebooks-data/laboratory, bounds of velocity: of 123 collapses on other seeds none was missed, of 165 healthy runs 3 were alarmed."
  )

  static func remedy(for setup: RunSetup) -> String { StepSizeRemedy.text(for: setup) }

  static func judge(_ run: RunEvidence) -> Judgement {
    VelocityBounds.update.judge(run, run.updateVelocity, .updateVelocity) {
      finding(
        in: run, step: $0.step, module: $0.module, value: $0.value, threshold: $0.bound, baseline: $0.healthy,
        pValue: $0.pValue, effectSize: $0.value / $0.bound, cause: $0.cause,
        "a step moves the weights by \($0.value.brief) of their norm, where healthy runs of \(run.method) stay below "
          + "\($0.healthy.brief) and the bound is \($0.bound.brief)\($0.reason)")
    }
  }
}
