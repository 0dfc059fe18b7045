/// A part of the adapter is not analysed, and why.
enum NotAnalysed: FindingKind {
  static let page = FindingPage(
    "SP109", "not-analysed", .info,
    meaning: "A tensor or module is known, and there is no update of a matrix to measure, or its kind is not read.",
    harm: "What is not analysed can be sick unseen.",
    evidence: "The module and the reason.",
    thresholds: [],
    source: "The list of methods that are read.")

  static func remedy(for setup: RunSetup) -> String {
    "Nothing, unless it matters; the coverage says how much was analysed."
  }
}
