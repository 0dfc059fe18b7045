import Spectra

/// An update that began among the trailing directions of W₀ has moved to the leading ones.
enum MinorToPrincipalSwing: FindingKind {
  static let page = FindingPage(
    "SP302", "minor-to-principal-swing", .warning, cause: .direction,
    meaning:
      "The update's energy was concentrated in the trailing singular directions of W₀ and has left them for the leading ones.",
    harm:
      "It is what the seed paper blames MiLoRA's decay on. Here it has not been seen to collapse a run: MiLoRA bears LoRA's rate. "
      + "It says that the start no longer matters, and that the update goes where gradients are.",
    evidence: "Share ÷ chance at the bottom and at the top, at the step of the largest share at the bottom and now.",
    thresholds: [
      .derived(
        "bottom: from, to; top: growth", "2 times chance, 1.2 times chance; 2 times",
        falseAlarms: "unknown: it is a shape",
        misses: "unknown")
    ],
    source: "arXiv 2512.23165, Eq. 3; the thresholds are ours.")

  static func remedy(for setup: RunSetup) -> String {
    "Watch the reward. If minor directions are wanted, keep their direction without their size (factors of unit norm, "
      + "`--method svd --directions bottom --magnitudes unit`)."
  }

  static func judge(_ run: RunEvidence) -> Judgement {
    guard !StartDirections.followsSpectrum(run.method) else { return Judgement() }
    let bottom = run.median(.leftEnrichmentBottom, run.shapeDelta)
    let top = run.median(.leftEnrichmentTop, run.shapeDelta)
    for point in bottom.points where point.value <= 1.2 {
      let earlier = bottom.points.filter { $0.step < point.step }
      guard let start = earlier.max(by: { $0.value < $1.value }), start.value >= 2,
        let before = top.value(at: start.step),
        let now = top.value(at: point.step), before > 0, now >= 2 * before
      else { continue }
      return Judgement([
        finding(
          in: run, step: point.step, value: now, threshold: 2 * before, baseline: before,
          pValue: HealthyRuns.pValue(beyond: 0, in: run), effectSize: now / before,
          "from step \(start.step) on the energy in W₀'s trailing directions fell from \(start.value.brief) to "
            + "\(point.value.brief) times chance, and in its leading ones it rose from \(before.brief) to \(now.brief)")
      ])
    }
    return Judgement()
  }
}
