/// MiLoRA looks like LoRA on disk, and a reload treats it as one.
enum UnflaggedStart: FindingKind {
  static let page = FindingPage(
    "SP510", "unflagged-start", .warning, cause: .loadMismatch,
    meaning:
      "The adapter took trailing components out of the base, and its configuration says that it began like any LoRA.",
    harm:
      "Loaded on the original base, those components are there twice. They are small, so little changes in score, but the model is not the one "
      + "that was trained.",
    evidence: "The method, as it was stated or recognised from the adapter of step 0, and init_lora_weights.",
    thresholds: [.exact("init_lora_weights of a MiLoRA", "true")],
    source:
      "PEFT has no name for MiLoRA (arXiv 2406.09044); Tests/References/diagnosis, milora-reload: accuracy 0.684 in training, 0.668 reloaded."
  )

  static func remedy(for setup: RunSetup) -> String {
    "Load it over the residual base of training, or convert it: rank 2r with −B₀·A₀ stacked (`spectroscope convert --plain` for runs of "
      + "this program)."
  }

  static func judge(_ run: RunEvidence) -> Judgement {
    guard run.setup.trainer == .other, run.setup.method == "milora",
      run.setup.start.map({ $0 == "true" || $0 == "zero" }) ?? true
    else { return Judgement() }
    return Judgement([
      finding(
        in: run,
        "this is a MiLoRA whose configuration says plain LoRA: from_pretrained on the original base adds the trailing components a "
          + "second time")
    ])
  }
}
