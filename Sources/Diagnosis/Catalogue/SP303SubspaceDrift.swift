import Spectra

/// A leading subspace of a weight has turned, at a gap that makes the angle mean something.
enum SubspaceDrift: FindingKind {
  static let page = FindingPage(
    "SP303", "subspace-drift", .warning,
    meaning:
      "The leading singular subspace of a weight has turned by more than 10°, and the gap behind it is wide enough that "
      + "this is no accident of nearly equal singular values.",
    harm:
      "Healthy reinforcement learning hardly turns leading subspaces (below 0.5° in large models); supervised learning does, and "
      + "forgets more. It is a level, so it lags behind what causes it.",
    evidence: "The module, the angle, its bound asin(ρ/(1 − ρ)), and the gap ratio ρ.",
    thresholds: [
      .derived(
        "largest principal angle at k, where ρ < ½", "10°", falseAlarms: "supervised runs, which turn by design",
        misses: "turns behind small gaps, whose angles mean nothing")
    ],
    source: "Wedin 1972, Weyl 1912; magnitudes: arXiv 2606.07082, 2511.08567.")

  static func remedy(for setup: RunSetup) -> String {
    setup.objective == "sft"
      ? "Nothing by itself in supervised learning; measure retention."
      : "Measure retention of what the base knew. If it suffers, lower the rate or stop earlier."
  }

  static func judge(_ run: RunEvidence) -> Judgement {
    for step in run.checkpoints {
      // W₀ + ΔW of these rows is the model, with DoRA's magnitudes and all.
      let turned = run.rows(.pretrained, at: step).compactMap { row -> (SpectrumRow, Double)? in
        guard row.metrics[.rotationBound] != nil,
          let angle = [row.metrics[.leftRotationMax], row.metrics[.rightRotationMax]].compactMap({ $0 }).max(),
          angle > 10
        else { return nil }
        return (row, angle)
      }
      guard let (row, angle) = turned.max(by: { $0.1 < $1.1 }) else { continue }
      return Judgement([
        finding(
          in: run, step: step, severity: run.isReinforced ? .warning : .info, module: row.module, value: angle,
          threshold: 10, pValue: HealthyRuns.pValue(beyond: 0, in: run),
          effectSize: angle / 10,
          "the leading subspace of \(turned.count) module\(turned.count == 1 ? "" : "s") has turned by more than 10°, most that of "
            + "\(row.module) by \(angle.brief)° (at most \(row.metrics[.rotationBound]!.brief)° at a gap ratio of "
            + "\((row.metrics[.gapRatio] ?? .nan).brief))")
      ])
    }
    return Judgement()
  }
}
