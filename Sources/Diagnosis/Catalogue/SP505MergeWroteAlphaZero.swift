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
}
