import Foundation
import Spectra

/// Two checkpoints that follow each other have nothing in common.
enum TwoRuns: FindingKind {
  static let page = FindingPage(
    "SP211", "two-runs", .warning, cause: .loadMismatch,
    meaning:
      "The updates at two checkpoints that follow each other point in unrelated directions, though one should hold most of the "
      + "other: these are two runs in one folder, or a run that was started anew.",
    harm: "Every comparison across the border is meaningless, and looks like a violent change.",
    evidence: "The cosine between the updates, and the least that a random walk of so many steps would have left.",
    thresholds: [
      .derived(
        "cosine of successive updates ÷ √(t₁/t₂)", "½, in most modules",
        falseAlarms: "a run that turns back on itself", misses: "a second run that began from the first one's adapter")
    ],
    source: "⟨ΔW(t₁), ΔW(t₂)⟩ from three norms; a random walk of t steps keeps a cosine of √(t₁/t₂) with its first t₁.")

  static func remedy(for setup: RunSetup) -> String {
    "Give each run a folder of its own, and analyse them apart."
  }

  static func judge(_ run: RunEvidence) -> Judgement {
    for (before, now) in zip(run.checkpoints, run.checkpoints.dropFirst()) where before > 0 {
      let cosines = run.modules.compactMap { cosine(run, of: $0, before, now) }
      let expected = (Double(before) / Double(now)).squareRoot()
      guard cosines.count >= 3, let middle = Diagnosis.median(cosines), middle < expected / 2 else { continue }
      let unrelated = cosines.count { $0 < expected / 2 }
      // Two unrelated updates have a cosine that is as often below zero as above.
      return Judgement([
        finding(
          in: run, step: now, value: middle, threshold: expected / 2, baseline: expected, effectSize: middle / expected,
          "the updates at steps \(before) and \(now) have a cosine of \(middle.brief) in the median over modules (below half of "
            + "what a random walk keeps, \(expected.brief), in \(unrelated) of \(cosines.count)): there are two runs in this folder"
        )
      ])
    }
    return Judgement()
  }

  /// cos(ΔW(before), ΔW(now)) from ‖ΔW(before)‖, ‖ΔW(now)‖ and the norm of their difference.
  private static func cosine(_ run: RunEvidence, of module: String, _ before: Int, _ now: Int) -> Double? {
    let norms = run.series(.frobeniusNorm, .initial, of: module)
    guard let a = norms.value(at: before), let b = norms.value(at: now), a > 0, b > 0,
      let c = run.series(.frobeniusNorm, .previous, of: module).value(at: now)
    else { return nil }
    return (a * a + b * b - c * c) / (2 * a * b)
  }
}
