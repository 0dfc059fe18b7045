import Spectra

/// Storing the residual base cost more than training changed.
enum ResidualBeyondSignal: FindingKind {
  static let page = FindingPage(
    "SP506", "residual-beyond-signal", .warning, cause: .loadMismatch,
    meaning:
      "The residual W₀ − s·B₀·A₀ was rounded to the type of the base, and that moved the weights further than training did.",
    harm:
      "The model that was trained is not W₀ plus the update: it differs from it by noise that is larger than the update.",
    evidence: "residual_rounding beside ‖ΔW‖_F/‖W₀‖_F, and for how many modules.",
    thresholds: [
      .derived(
        "residual_rounding ÷ ‖ΔW‖_F/‖W₀‖_F", "1", falseAlarms: "early checkpoints, before the update has grown",
        misses: "rounding of half the update")
    ],
    source: "Rounding of a residual to bf16 costs 1.4e-3 to 2e-3 of ‖W₀‖ (column residual_rounding).")

  static func remedy(for setup: RunSetup) -> String {
    "Keep the residual base in Float32 while training, or begin with LoRA, whose base is not touched."
  }

  static func judge(_ run: RunEvidence) -> Judgement {
    guard let step = run.checkpoints.last, step > 0 else { return Judgement() }
    let rows = run.rows(.pretrained, at: step).filter { $0.metrics[.residualRounding] != nil }
    let beyond = rows.filter { $0.metrics[.residualRounding]! > $0.metrics[.relativeNorm] ?? .infinity }
    guard 2 * beyond.count > rows.count, let row = beyond.first else { return Judgement() }
    let (rounding, norm) = (row.metrics[.residualRounding]!, row.metrics[.relativeNorm]!)
    return Judgement([
      finding(
        in: run, step: step, module: beyond.count == 1 ? row.module : nil, value: rounding, threshold: norm,
        baseline: norm,
        effectSize: norm > 0 ? rounding / norm : nil,
        "in \(beyond.count) of \(rows.count) modules rounding the residual base cost more than training moved: \(rounding.brief) "
          + "against \(norm.brief) in \(row.module)")
    ])
  }
}
