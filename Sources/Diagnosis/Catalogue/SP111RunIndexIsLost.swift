/// run.h5 is missing and was made anew.
enum RunIndexIsLost: FindingKind {
  static let page = FindingPage(
    "SP111", "run-index-is-lost", .warning,
    meaning: "The file that says what a run is was missing, and was rebuilt from the rest.",
    harm: "What only it knew, such as the seed, is lost.",
    evidence: "The run folder.",
    thresholds: [.exact("run.h5", "missing")],
    source: "The layout of a run folder.")

  static func remedy(for setup: RunSetup) -> String {
    "Nothing: the run goes on. Keep the folder whole when it is copied."
  }
}
