/// How the adapter began is unknown, so what training did is, too.
enum StartIsUnknown: FindingKind {
  static let page = FindingPage(
    "SP502", "start-is-unknown", .warning,
    meaning: "The adapter began away from zero, and its start is neither kept nor can it be computed again.",
    harm:
      "The stored product is not the update: without the start there are no rows of `init`, and every shape "
      + "of the stored product would mislead.",
    evidence: "The kind of start.",
    thresholds: [.exact("adapter of step 0", "missing")],
    source: "PEFT's init_lora_weights; how PiSSA, OLoRA, CorDA and LoftQ change the base.")

  static func remedy(for setup: RunSetup) -> String {
    "Pass the adapter of step 0 with --initial. If it was not kept, only the changes between checkpoints "
      + "can be judged; save it at the start of the next run."
  }
}
