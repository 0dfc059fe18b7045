import Spectra

/// The whole update is smaller than one step of training.
enum BarelyTrained: FindingKind {
  /// The smallest default rate of a widely used trainer (TRL's GRPO).
  static let smallestRate = 1e-6

  static let page = FindingPage(
    "SP112", "barely-trained", .warning,
    meaning:
      "All that training did is smaller than one step of Adam at the run's rate, or at 1e-6 where that is smaller or "
      + "unknown.",
    harm: "The model is the base to every practical purpose; evaluating it tells nothing of the method.",
    evidence: "‖ΔW‖_F/‖W₀‖_F, and to how many steps that comes.",
    thresholds: [
      .derived(
        "‖ΔW‖_F ÷ (rate · unit_step · ‖W₀‖_F), in steps", "1",
        falseAlarms: "none in 2 or more steps of Adam: the first alone is that large",
        misses: "a run that stopped after a few steps")
    ],
    source: "The size of an Adam step, rate · ‖∂W/∂θ‖_F (column unit_step); TRL's default rate for GRPO.")

  static func remedy(for setup: RunSetup) -> String {
    let rate = setup.learningRate.map { "The rate was \($0.brief): " } ?? ""
    return rate
      + "check the learning rate and its schedule, that the checkpoint is not from the first steps, and that the "
      + "adapter was in the optimiser."
  }

  static func judge(_ run: RunEvidence) -> Judgement {
    guard let step = run.checkpoints.last, step > 1, let norm = run.total(.relativeNorm, run.sizeDelta).value(at: step),
      let unit = run.total(.unitStep, run.sizeDelta).values.min(), norm > 0, unit > 0
    else { return Judgement() }
    let rate = max(run.setup.learningRate ?? 0, smallestRate)
    let steps = norm / (rate * unit)
    guard steps < 1 else { return Judgement() }
    return Judgement([
      finding(
        in: run, step: step, value: norm, threshold: rate * unit, effectSize: steps,
        "after \(step) steps the update is \(norm.brief) of the weights' norm, less than one step at a rate of \(rate.brief) "
          + "(\((rate * unit).brief))")
    ])
  }
}
