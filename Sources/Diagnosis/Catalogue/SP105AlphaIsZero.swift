/// α = 0, so that the adapter is scaled by nothing.
enum AlphaIsZero: FindingKind {
  static let page = FindingPage(
    "SP105", "alpha-is-zero", .alert, cause: .loadMismatch,
    meaning: "The configuration says that α is 0, and the update is scaled by α/r.",
    harm: "Whatever was trained is multiplied by zero when the adapter is loaded.",
    evidence: "The configuration's α.",
    thresholds: [.exact("α", "0")],
    source: "PEFT's adapter_config.json; verl's merger writes 0 where it does not know α.")

  static func remedy(for setup: RunSetup) -> String {
    "Set lora_alpha in adapter_config.json to the value of training."
  }
}
