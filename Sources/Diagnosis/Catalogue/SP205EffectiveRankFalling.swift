import Foundation
import Spectra

/// Updates use fewer directions than they did before in the same run.
enum EffectiveRankFalling: FindingKind {
  /// Of a module's own largest effective rank, before it counts as fallen.
  static let fall = 0.3
  /// The share of modules of healthy runs that fall so far at some checkpoint.
  static let healthyShare = 0.25

  static let page = FindingPage(
    "SP205", "effective-rank-falling", .warning, cause: .rank,
    meaning:
      "In most modules the effective rank of the update has fallen by more than 30 % from its own largest value in this run, and "
      + "lies below what chance gives.",
    harm:
      "The update concentrates in few directions. High-rank adapters whose reward collapsed were seen to do so; many "
      + "healthy runs with little to learn have a low rank from the start, so the level alone says nothing.",
    evidence:
      "The median effective rank of energy now and at its largest, what chance gives, and in how many modules it fell.",
    thresholds: [
      .provisional(
        "share of modules that fell by 30 %", "half, and p < 0.01 over all looks",
        falseAlarms: "1 in 100 if a quarter of a healthy run's modules fall at a look",
        misses: "collapses that keep their rank: most do")
    ],
    source: "Roy and Vetterli 2007, of energies; \"Structure over Scale\", ICML 2026 workshops.")

  static func remedy(for setup: RunSetup) -> String {
    if let rank = setup.rank, rank >= 64 {
      return
        "Try a smaller rank or a smaller rate at this one: with α/r or α/√r fixed, the step grows with the rank (\(rank) here)."
    }
    return "Look at reward and KL first: without a fall of the reward this needs no answer. Otherwise lower the rate."
  }

  static func judge(_ run: RunEvidence) -> Judgement {
    let delta = run.shapeDelta
    let eligible = run.modules.map { module in usable(run, delta, module) }.filter { $0.maximum?.value ?? 0 >= 2 }
    guard eligible.count >= 3 else { return Judgement() }
    let steps = run.checkpoints.filter { step in eligible.contains { $0.value(at: step) != nil } }
    for (look, step) in steps.dropFirst().enumerated() {
      let states = eligible.compactMap { series -> (now: Double, peak: Double)? in
        guard let now = series.value(at: step), let peak = series.upTo(step).maximum else { return nil }
        return (now, peak.value)
      }
      let fallen = states.filter { $0.now <= (1 - fall) * $0.peak }
      guard 2 * fallen.count >= states.count, states.count >= 3 else { continue }
      let now = Diagnosis.median(states.map(\.now))!
      let peak = Diagnosis.median(states.map(\.peak))!
      let null = chance(run, at: step)
      let p = Sequential.adjusted(
        binomialUpperTail(fallen.count, of: states.count, chance: healthyShare), look: look + 1)
      guard p < Sequential.level, null.map({ now < $0 }) ?? true else { continue }
      let comparison = null.map { "; chance gives \($0.brief)" } ?? ""
      return Judgement([
        finding(
          in: run, step: step, value: now, threshold: (1 - fall) * peak, baseline: peak, pValue: p,
          effectSize: now / peak,
          "in \(fallen.count) of \(states.count) modules the effective rank has fallen by more than 30 %: the median from "
            + "\(peak.brief) to \(now.brief)\(comparison)")
      ])
    }
    return Judgement()
  }

  /// The effective rank of a module's update where it is no noise.
  private static func usable(_ run: RunEvidence, _ delta: Delta, _ module: String) -> Series {
    Series(
      run.rows(delta, of: module).compactMap { row in
        guard let rank = row.metrics[.effectiveRankOfEnergy], let norm = row.metrics[.relativeNorm],
          norm > 10 * (row.metrics[.roundingFloor] ?? 0)
        else { return nil }
        return Series.Point(step: row.step, value: rank)
      })
  }

  /// The effective rank of a product of random factors, r·exp(−(r/m + r/n)/2): the eigenvalues of a Wishart matrix with m samples
  /// spread by √(r/m) of themselves, and an entropy falls by half the relative variance. The median over modules.
  private static func chance(_ run: RunEvidence, at step: Int) -> Double? {
    Diagnosis.median(
      run.rows(run.shapeDelta, at: step).compactMap { row in
        guard let rank = row.metrics[.numericalRank], let m = row.metrics[.rows], let n = row.metrics[.columns] else {
          return nil
        }
        return rank * exp(-(rank / m + rank / n) / 2)
      })
  }
}
