/// The base is not the one that the run has recorded.
enum BaseDiffers: FindingKind {
  static let page = FindingPage(
    "SP508", "base-differs", .alert, cause: .loadMismatch,
    meaning: "The weights that were found where the run says its base is have another checksum.",
    harm:
      "Every number relative to the base is wrong, and an adapter that was trained on other weights is "
      + "loaded wrongly.",
    evidence: "Both checksums.",
    thresholds: [.exact("SHA-256 of the weights", "the run's")],
    source: "The run's own record.")

  static func remedy(for setup: RunSetup) -> String {
    "Pass the base that the run was trained on with --base."
  }
}
