/// The start came from an unseeded randomised decomposition, which no reload repeats.
enum RandomisedStart: FindingKind {
  static let page = FindingPage(
    "SP503", "randomised-start", .warning, cause: .loadMismatch,
    meaning:
      "The adapter's configuration says pissa_niter_k: loading it on the original base runs a randomised decomposition again, "
      + "which finds another residual than the one that training used.",
    harm:
      "The reloaded model is broken before any training: with PEFT 0.21.2 an accuracy of 0.96 falls to 0.00. An evaluation "
      + "that does this looks like a collapse and says nothing of training.",
    evidence: "init_lora_weights, and whether the adapter of step 0 is at hand.",
    thresholds: [.exact("init_lora_weights", "pissa_niter_k")],
    source:
      "PEFT 0.21.2; Tests/References/diagnosis, pissa-niter-4; arXiv 2512.23165's public scripts use pissa_niter_4."
  )

  static func remedy(for setup: RunSetup) -> String {
    let convert =
      "convert it to a plain LoRA (save_pretrained with path_initial_model_for_weight_conversion) before it is evaluated, and start "
      + "the next run with init_lora_weights=\"pissa\"."
    return setup.hasInitial == true
      ? "The adapter of step 0 is at hand: \(convert)"
      : "Find the adapter of step 0, or the residual base of training: without them the trained model cannot be had again. With them "
        + convert
  }

  static func judge(_ run: RunEvidence) -> Judgement {
    guard let start = run.setup.start, start.hasPrefix("pissa_niter") else { return Judgement() }
    return Judgement([
      finding(
        in: run,
        "the adapter began by \(start), which no reload repeats: from_pretrained on the original base gives another model, "
          + "whatever training did")
    ])
  }
}
