/// A module of the adapter has no weight in the base.
enum MatchesNoModule: FindingKind {
  static let page = FindingPage(
    "SP106", "matches-no-module", .warning, cause: .loadMismatch,
    meaning: "The adapter has tensors for a module that the base does not have.",
    harm: "A loader drops them without a word, so part of what was trained is missing.",
    evidence: "The module, and the names in the base that come nearest.",
    thresholds: [.exact("weights of the base that fit", "0")],
    source: "Names and shapes in the files.")

  static func remedy(for setup: RunSetup) -> String {
    "Check that --base is the model that was trained; otherwise rename the keys as the base has them."
  }
}
