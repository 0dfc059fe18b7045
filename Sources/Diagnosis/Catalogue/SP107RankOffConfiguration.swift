/// The tensors have another rank than the configuration says.
enum RankOffConfiguration: FindingKind {
  static let page = FindingPage(
    "SP107", "rank-off-configuration", .warning, cause: .loadMismatch,
    meaning: "The factors' shape and the configuration's r, with its pattern, differ.",
    harm: "The scaling α/r is then wrong by their ratio, or the adapter does not load.",
    evidence: "The module, its rank and the configuration's.",
    thresholds: [.exact("rank of the tensors − r", "0")],
    source: "PEFT's adapter_config.json against the shapes of its tensors.")

  static func remedy(for setup: RunSetup) -> String {
    "Correct r, or rank_pattern, in adapter_config.json, and α with it if it was meant for the other "
      + "rank."
  }
}
