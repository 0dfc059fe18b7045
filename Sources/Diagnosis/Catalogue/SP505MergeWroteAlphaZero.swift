import Spectra

/// Trained factors under an α of 0.
enum MergeWroteAlphaZero: FindingKind {
  static let page = FindingPage(
    "SP505", "merge-wrote-alpha-zero", .alert, cause: .loadMismatch,
    meaning: "The factors were trained, both are away from zero, and the configuration says α = 0.",
    harm:
      "The update that is loaded is exactly zero: an evaluation measures the base. verl's merger writes this where its "
      + "lora_train_meta.json is missing.",
    evidence: "The number of modules with trained factors.",
    thresholds: [.exact("α, with B ≠ 0", "0")],
    source: "verl's base_model_merger; PEFT's α/r.")

  static func remedy(for setup: RunSetup) -> String {
    "Write the α of training into adapter_config.json (in verl: lora_alpha of the trainer's configuration) and analyse again."
  }

  static func judge(_ run: RunEvidence) -> Judgement {
    guard let zero = run.reading.first(where: { $0.code == AlphaIsZero.page.code }) else { return Judgement() }
    // A module whose factors are zero themselves has no step of any size either.
    let rows = run.checkpoints.last.map { run.rows(run.sizeDelta, at: $0) } ?? []
    let trained = rows.filter { $0.metrics[.frobeniusNorm] == 0 && $0.metrics[.numericalRank] ?? 1 != 0 }
    guard !trained.isEmpty else { return Judgement() }
    return Judgement([
      finding(
        in: run, step: zero.step, value: Double(trained.count), threshold: 0,
        "\(trained.count) modules hold trained factors, and α = 0 makes their update zero")
    ])
  }
}
