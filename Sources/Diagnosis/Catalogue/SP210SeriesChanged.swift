/// Rank, scaling or targets change from one checkpoint to the next.
enum SeriesChanged: FindingKind {
  static let page = FindingPage(
    "SP210", "series-changed", .warning,
    meaning: "Two checkpoints that follow each other belong to adapters of different shape or scaling.",
    harm: "There are probably two runs in one folder, and every comparison across the border is meaningless.",
    evidence: "The steps, how many modules changed, and the first of them.",
    thresholds: [.exact("modules whose rank, scaling or presence changes", "1")],
    source: "Configurations and shapes of the checkpoints.")

  static func remedy(for setup: RunSetup) -> String {
    "Give each run a folder of its own, and analyse them apart."
  }
}
