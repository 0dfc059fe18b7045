import Spectra

/// An SVD-initialised adapter that does not belong to the base that it is held against.
enum WrongBase: FindingKind {
  /// How much faster than later stretches the first one may be, and how far it may go, ÷ ‖W₀‖.
  static let leastRatio = 5.0
  static let leastNorm = 0.2

  static let page = FindingPage(
    "SP501", "wrong-base", .alert, cause: .loadMismatch,
    meaning:
      "The adapter began as a part of a base (PiSSA, MiLoRA), and it is no part of this one: this is another base, or the residual "
      + "that is left when the part is taken out.",
    harm:
      "Such a model is broken before any training: where the start is another than that of training, an accuracy of 0.96 falls to 0.00. "
      + "It looks like a collapse and is none.",
    evidence:
      "How much of the base the start explains, or how many times an ordinary step the first stretch would have been.",
    thresholds: [
      .derived(
        "energy of W₀ that remains when the start is taken out, above what the exact decomposition leaves, ÷ ‖W₀‖²",
        "1e-3",
        falseAlarms: "none: rounding to bf16 makes 4e-6",
        misses: "bases that differ outside the leading directions alone"),
      .provisional(
        "velocity of the first stretch ÷ median of later ones; its length ÷ ‖W₀‖; where the start was computed again",
        "5; 0.2",
        falseAlarms: "none of the healthy runs of Tests/References/diagnosis",
        misses: "bases that are nearly the same"),
    ],
    source:
      "The residual construction (Meng et al. 2024, section 3.1); Tests/References/diagnosis, wrong-base-pissa and pissa-niter-4."
  )

  static func remedy(for setup: RunSetup) -> String {
    "Pass the base that training started from with --base. For PiSSA over a stored residual base, that residual is the base of the adapter as a "
      + "plain LoRA; to evaluate, convert with `--plain` or load over exactly the residual."
  }

  /// A start that was computed again from the wrong base makes the first stretch look like a leap.
  static func judge(_ run: RunEvidence) -> Judgement {
    guard run.reading.contains(where: { $0.code == StartIsRecomputed.page.code }),
      let first = run.total(.relativeNorm, run.sizeDelta).points.first(where: { $0.step > 0 }),
      let usual = Diagnosis.median(run.total(.updateVelocity, .previous).values.filter { $0 > 0 })
    else { return Judgement() }
    let ratio = first.value / (usual * Double(first.step))
    guard first.value >= leastNorm, ratio >= leastRatio else { return Judgement() }
    return Judgement([
      finding(
        in: run, step: first.step, value: first.value, threshold: leastRatio * usual * Double(first.step),
        baseline: usual * Double(first.step), effectSize: ratio,
        "held against a start computed from this base, the run would have moved by \(first.value.brief) of the weights' norm up to step "
          + "\(first.step), \(ratio.brief) times as fast as ever after: the adapter did not begin in this base")
    ])
  }
}
