/// PiSSA's start was computed again from the base.
enum StartIsRecomputed: FindingKind {
  static let page = FindingPage(
    "SP507", "start-is-recomputed", .info,
    meaning: "The adapter of step 0 is not there, and exact PiSSA allows to find it again from the base.",
    harm:
      "What was found differs from the start of training by rounding, which bounds how small an update can "
      + "be told.",
    evidence: "The estimated distance, relative to ‖W₀‖_F.",
    thresholds: [],
    source: "Meng et al. 2024, section 3.1; the condition of the leading subspace.")

  static func remedy(for setup: RunSetup) -> String {
    "Nothing, unless the update is as small as the distance; then pass the adapter of step 0 with "
      + "--initial."
  }
}
