/// Each step moves the weights further than any healthy run of the method did.
enum UpdateVelocity: FindingKind {
  private static let rule = StrideRule(kind: .size, verb: "moves the weights by", whole: "their norms")

  static let page = FindingPage(
    "SP201", "update-velocity", .alert,
    meaning:
      "A step moves the weights by a larger part of their norms than healthy laboratory runs of this method do.",
    harm:
      "Velocity is what comes before a collapse: it is too high from the first steps on, while the reward still rises. Beyond "
      + "the bound the policy changes faster than its gradient, taken at the old weights, is worth.",
    evidence:
      "√Σ(‖δW‖_F/‖W₀‖_F)² of a step over modules, the method's bound at that step, the module that moves most for its size. It alerts where this and "
      + "shift-velocity together, as the geometric mean of their ratios to their bounds, go beyond what a healthy run on a base that no bound is from does; "
      + "else it warns. The cause is the size of the steps, or for a method that begins in leading directions their direction, where LoRA bears the size.",
    thresholds: rule.thresholds,
    source:
      "notebooks-data/corpus: bounds from its calibration half, their errors on other bases, tasks and seeds."
  )

  static func remedy(for setup: RunSetup) -> String { StepSizeRemedy.text(for: setup) }

  static func judge(_ run: RunEvidence) -> Judgement { rule.judge(run, as: Self.self) }
}
