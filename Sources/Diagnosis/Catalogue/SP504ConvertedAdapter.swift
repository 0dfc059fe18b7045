/// A checkpoint was converted on save, and its rank is twice that of the run.
enum ConvertedAdapter: FindingKind {
  static let page = FindingPage(
    "SP504", "converted-adapter", .info,
    meaning:
      "PEFT's conversion of PiSSA or OLoRA to a plain LoRA stacks the start beside the adapter, which "
      + "doubles rank and α.",
    harm:
      "Harmless in itself; taken for a growth of the adapter, or compared with unconverted ones, it "
      + "misleads.",
    evidence: "The rank before and after.",
    thresholds: [.exact("rank ÷ the series' rank", "2")],
    source: "PEFT's save_pretrained with path_initial_model_for_weight_conversion.")

  static func remedy(for setup: RunSetup) -> String {
    "Nothing: it is recognised, and loads on the original base."
  }
}
