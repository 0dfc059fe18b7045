import Spectra

/// The trained weights have leading singular vectors that resemble none of W₀.
enum Intruders: FindingKind {
  static let page = FindingPage(
    "SP304", "intruders", .warning,
    meaning:
      "Among the ten leading left singular vectors of the trained weights are some that have no cosine above ½ with any of W₀.",
    harm:
      "In supervised fine-tuning intruder dimensions are usual and go with forgetting; whether they cause it is disputed. Healthy reinforcement "
      + "learning has hardly any, and only there they are more than a note.",
    evidence: "How many modules have them, how many there are, and their share of the energy of the ten.",
    thresholds: [
      .provisional(
        "modules with an intruder", "half, with a tenth of the energy", falseAlarms: GeometryBounds.intruderErrors,
        misses: "unknown: forgetting without intruders is common")
    ],
    source: "Shuttleworth et al., arXiv 2410.21228; an independent test found that removing them mends nothing.")

  static func remedy(for setup: RunSetup) -> String {
    "Measure retention. PEFT can scale intruder dimensions down; a smaller rate or rank avoids them."
  }

  static func judge(_ run: RunEvidence) -> Judgement {
    // Scaled rows or columns of W₀ turn its singular vectors whatever they learn.
    guard !StartDirections.followsSpectrum(run.method) else { return Judgement() }
    for step in run.checkpoints {
      let rows = run.rows(.pretrained, at: step).filter { $0.metrics[.intruderCount] != nil }
      let with = rows.filter { $0.metrics[.intruderCount]! > 0 && $0.metrics[.intruderEnergy] ?? 0 >= 0.1 }
      guard rows.count >= 2, 2 * with.count >= rows.count,
        let worst = with.max(by: { $0.metrics[.intruderEnergy]! < $1.metrics[.intruderEnergy]! })
      else { continue }
      let energy = worst.metrics[.intruderEnergy]!
      return Judgement([
        finding(
          in: run, step: step, severity: run.isReinforced ? .warning : .info, module: worst.module, value: energy,
          threshold: 0.1, pValue: HealthyRuns.pValue(beyond: 0, of: 368, in: run), effectSize: energy / 0.1,
          "\(with.count) of \(rows.count) modules have intruder dimensions with a tenth of the leading energy or more; "
            + "\(worst.module) has \(Int(worst.metrics[.intruderCount]!)) of 10, with \((100 * energy).brief) %")
      ])
    }
    return Judgement()
  }
}
