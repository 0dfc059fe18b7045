/// The configuration has no α.
enum AlphaIsMissing: FindingKind {
  static let page = FindingPage(
    "SP108", "alpha-is-missing", .warning,
    meaning: "Nothing says by how much the update is scaled; the default of whoever wrote the format is taken.",
    harm: "Every norm is off by an unknown factor, and a loader may take another default.",
    evidence: "That the configuration lacks the field, and what is taken.",
    thresholds: [.exact("α in the configuration", "none")],
    source: "PEFT's defaults.")

  static func remedy(for setup: RunSetup) -> String {
    "Write lora_alpha into adapter_config.json as it was in training."
  }
}
