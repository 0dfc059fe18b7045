import Spectra

/// The update is no larger than what rounding does to the numbers that it is stored in.
enum MovedWithinRounding: FindingKind {
  static let page = FindingPage(
    "SP103", "moved-within-rounding", .warning,
    meaning: "At least half of the update's energy is what rounding does to the stored numbers: ‖ΔW‖ ≤ √2 · floor.",
    harm:
      "Its shape is noise, and so is whatever the model seems to have learned: the steps are smaller than the type can hold.",
    evidence: "‖ΔW‖_F/‖W₀‖_F beside the rounding floor, and for how many modules.",
    thresholds: [
      .derived(
        "‖ΔW‖_F ÷ rounding floor", "√2", falseAlarms: "none: the floor is known from the type",
        misses: "an update of twice the floor is still a quarter noise")
    ],
    source:
      "The rounding error of a stored number, rms 0.41 u of its size with u = 2⁻⁸ for bf16 (column rounding_floor).")

  static func remedy(for setup: RunSetup) -> String {
    "Keep the trained weights in Float32 (the optimiser's master copy, and what is saved), or raise the learning rate"
      + (setup.learningRate.map { " above \($0.brief)" } ?? "") + "."
  }

  static func judge(_ run: RunEvidence) -> Judgement {
    guard let step = run.checkpoints.last, step > 0 else { return Judgement() }
    let rows = run.rows(run.sizeDelta, at: step).filter { $0.metrics[.relativeNorm] ?? 0 > 0 }
    let within = rows.filter { row in
      guard let norm = row.metrics[.relativeNorm], let floor = row.metrics[.roundingFloor] else { return false }
      return norm <= 2.0.squareRoot() * floor
    }
    guard 2 * within.count > rows.count, let row = within.first else { return Judgement() }
    let (norm, floor) = (row.metrics[.relativeNorm]!, row.metrics[.roundingFloor]!)
    return Judgement([
      finding(
        in: run, step: step, module: within.count == 1 ? row.module : nil, value: norm,
        threshold: 2.0.squareRoot() * floor,
        baseline: floor, effectSize: norm / floor,
        "\(within.count) of \(rows.count) modules have moved by no more than rounding: \(row.module) by \(norm.brief) of its "
          + "norm, where rounding alone does \(floor.brief)")
    ])
  }
}
