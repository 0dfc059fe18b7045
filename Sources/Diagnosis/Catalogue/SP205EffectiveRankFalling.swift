import Foundation
import Spectra

/// Updates use far fewer directions than they did before in the same run.
enum EffectiveRankFalling: FindingKind {
  static let page = FindingPage(
    "SP205", "effective-rank-falling", .warning, cause: .rank,
    meaning:
      "The effective rank of the update, in the median over modules, has fallen further below its own largest value in this run than in any "
      + "healthy laboratory run, and lies below what chance gives.",
    harm:
      "The update concentrates in few directions, as high-rank adapters were seen to do whose reward collapsed. Healthy runs do so, too, up "
      + "to a point; the level alone says nothing.",
    evidence:
      "The median of effective rank ÷ own largest, the median rank now, what chance gives, and the module that fell furthest.",
    thresholds: [
      .provisional(
        "effective rank of energy ÷ own largest, the median over modules", GeometryBounds.rankFall.brief,
        falseAlarms: "0 of \(GeometryBounds.rankFallRuns) healthy runs, from which it was taken",
        misses: "all of the laboratory's collapses, which keep their rank better than healthy runs")
    ],
    source:
      "Roy and Vetterli 2007, of energies; notebooks-data/laboratory; \"Structure over Scale\", ICML 2026 workshops.")

  static func remedy(for setup: RunSetup) -> String {
    if let rank = setup.rank, rank >= 64 {
      return
        "Try a smaller rank, or a smaller rate at this one: at fixed α/√r, or fixed α/r, the step grows with the rank "
        + "(\(rank) here)."
    }
    return "Look at reward and KL first: without a fall of the reward this needs no answer. Otherwise lower the rate."
  }

  static func judge(_ run: RunEvidence) -> Judgement {
    // The allocator cuts AdaLoRA's ranks by design.
    guard run.method != "adalora" else { return Judgement() }
    let ranks = run.modules.map { (module: $0, series: usable(run, $0)) }.filter { $0.series.maximum?.value ?? 0 >= 2 }
    guard ranks.count >= 3 else { return Judgement() }
    for step in run.checkpoints {
      let states = ranks.compactMap { module, series -> (module: String, now: Double, share: Double)? in
        guard let now = series.value(at: step), let peak = series.upTo(step).maximum else { return nil }
        return (module, now, now / peak.value)
      }
      guard states.count >= 3, let share = Diagnosis.median(states.map(\.share)), share < GeometryBounds.rankFall,
        let now = Diagnosis.median(states.map(\.now)), let null = chance(run, at: step), now < null
      else { continue }
      return Judgement([
        finding(
          in: run, step: step, module: states.min { $0.share < $1.share }!.module, value: share,
          threshold: GeometryBounds.rankFall, baseline: 1,
          pValue: HealthyRuns.pValue(beyond: 0, of: GeometryBounds.rankFallRuns, in: run),
          effectSize: share,
          "the effective rank has fallen to \((100 * share).brief) % of its own largest in the median over \(states.count) modules, to "
            + "\(now.brief), where chance gives \(null.brief)")
      ])
    }
    return Judgement()
  }

  /// The effective rank of a module's update where it is no noise.
  private static func usable(_ run: RunEvidence, _ module: String) -> Series {
    Series(
      run.rows(run.shapeDelta, of: module).compactMap { row in
        guard let rank = row.metrics[.effectiveRankOfEnergy], row.isAboveNoise else { return nil }
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

extension SpectrumRow {
  /// True where the update is ten times as large as what rounding does to it: below that a shape is partly noise.
  var isAboveNoise: Bool { metrics[.relativeNorm] ?? 0 > 10 * (metrics[.roundingFloor] ?? 0) }
}
