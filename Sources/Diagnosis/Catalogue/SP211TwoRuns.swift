import Spectra

/// A checkpoint has nothing of the one before it.
enum TwoRuns: FindingKind {
  static let page = FindingPage(
    "SP211", "two-runs", .warning, cause: .loadMismatch,
    meaning:
      "The update at a checkpoint holds less than half of the one before it, though steps only add to it: these are two runs in one folder, or "
      + "a run that was started anew.",
    harm: "Every comparison across the border is meaningless, and looks like a violent change.",
    evidence: "How much of the earlier update is left in the later one, in the median over modules.",
    thresholds: [
      .derived(
        "⟨ΔW(t₁), ΔW(t₂)⟩ ÷ ‖ΔW(t₁)‖², where ‖ΔW(t₂)‖ is at most 3 ‖ΔW(t₁)‖", "½, in the median",
        falseAlarms: "a run that undoes what it did: steps without memory leave 1 in the mean",
        misses: "a second run that began from the first one's adapter")
    ],
    source: "The inner product of two updates from three norms, ‖a‖² + ‖b‖² − ‖a − b‖² = 2⟨a, b⟩.")

  static func remedy(for setup: RunSetup) -> String { "Give each run a folder of its own, and analyse them apart." }

  static func judge(_ run: RunEvidence) -> Judgement {
    // AdaLoRA takes back what it cuts.
    guard run.method != "adalora" else { return Judgement() }
    // Where rank or targets change the reader has said so already.
    let known = Set(run.reading.filter { $0.code == SeriesChanged.page.code }.compactMap(\.step))
    let norms = run.modules.map {
      (run.series(.frobeniusNorm, .initial, of: $0), run.series(.frobeniusNorm, .previous, of: $0))
    }
    for (before, now) in zip(run.checkpoints, run.checkpoints.dropFirst()) where before > 0 && !known.contains(now) {
      let kept = norms.compactMap { remainder($0, $1, before, now) }
      guard kept.count >= 2, let middle = Diagnosis.median(kept), middle < 0.5 else { continue }
      return Judgement([
        finding(
          in: run, step: now, value: middle, threshold: 0.5, baseline: 1, effectSize: middle,
          "of the update at step \(before) only \((100 * middle).brief) % is left at step \(now), in the median over \(kept.count) "
            + "modules: there are two runs in this folder")
      ])
    }
    return Judgement()
  }

  /// ⟨ΔW(before), ΔW(now)⟩ ÷ ‖ΔW(before)‖². A leap that dwarfs the earlier update leaves nothing to be told of it.
  ///
  /// - Parameter norms: ‖ΔW‖ of the module.
  /// - Parameter moves: ‖ΔW‖ from one checkpoint to the next.
  private static func remainder(_ norms: Series, _ moves: Series, _ before: Int, _ now: Int) -> Double? {
    guard let a = norms.value(at: before), let b = norms.value(at: now), a > 0, b <= 3 * a, let c = moves.value(at: now)
    else { return nil }
    return (a * a + b * b - c * c) / (2 * a * a)
  }
}
