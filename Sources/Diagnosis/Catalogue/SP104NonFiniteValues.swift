/// A tensor of a checkpoint holds NaN or infinity.
enum NonFiniteValues: FindingKind {
  static let page = FindingPage(
    "SP104", "non-finite-values", .alert,
    meaning: "A tensor of the adapter, or of the base, holds NaN or an infinite number.",
    harm: "Every product with it is NaN; the checkpoint, and all that come after it, are lost.",
    evidence: "The tensor, how many of its values are not finite, and the first of them.",
    thresholds: [.exact("values that are not finite", "1")],
    source: "IEEE 754; read from the files.")

  static func remedy(for setup: RunSetup) -> String {
    "Go back to the last checkpoint before it. Find the step in the log; look for an overflow in half "
      + "precision, a division by a group's zero deviation, or a loss over no tokens, and skip steps whose "
      + "gradient is not finite."
  }
}
