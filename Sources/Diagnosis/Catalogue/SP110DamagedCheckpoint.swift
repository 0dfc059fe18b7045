/// A checkpoint cannot be read, and is left out.
enum DamagedCheckpoint: FindingKind {
  static let page = FindingPage(
    "SP110", "damaged-checkpoint", .warning,
    meaning: "A file of a checkpoint is cut short, has a wrong checksum, or is not what its name says.",
    harm: "It cannot be resumed from, and what happened at its step is unknown.",
    evidence: "The file, the object in it, what was expected and what was found.",
    thresholds: [.exact("unreadable files", "1")],
    source: "Headers, sizes and checksums.")

  static func remedy(for setup: RunSetup) -> String {
    "Restore it from a copy, or delete its folder. A trainer that was stopped while it saved leaves such "
      + "a folder."
  }
}
