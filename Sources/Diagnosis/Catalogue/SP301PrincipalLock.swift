import Spectra

/// The update stays within the leading singular directions of W₀ on both sides.
enum PrincipalLock: FindingKind {
  /// Checkpoints in a row.
  static let checkpoints = 3

  static let page = FindingPage(
    "SP301", "principal-lock", .warning, cause: .direction,
    meaning:
      "The update's energy in the leading singular directions of W₀, on both sides at once, is far above that of healthy "
      + "training from a random start, at several checkpoints in a row.",
    harm:
      "Steps along leading directions change most of what the model does: at equal size they lower the critical rate by about 2. "
      + "A PiSSA begins there and is healthy below its rate, so of a method that begins there this is no more than a note.",
    evidence:
      "Share of energy in both leading subspaces ÷ what chance gives (k/rows · k/columns, or what frozen rows can reach), "
      + "in the median over modules.",
    thresholds: [
      .provisional(
        "share ÷ chance", GeometryBounds.principalEnrichment.brief, falseAlarms: GeometryBounds.principalErrors,
        misses: "most collapses: their shapes are those of healthy runs")
    ],
    source: "arXiv 2512.23165 (spectral collapse); notebooks-data/laboratory for size and direction apart.")

  static func remedy(for setup: RunSetup) -> String {
    StartDirections.isPrincipal(setup)
      ? "Nothing by itself: \(setup.method) begins there. If the run is too fast, lower the rate, or begin elsewhere (LoRA, MiLoRA)."
      : "Compare with a run from a random start (`spectroscope compare`); if reward or retention fall, lower the rate."
  }

  static func judge(_ run: RunEvidence) -> Judgement {
    guard !StartDirections.followsSpectrum(run.method) else { return Judgement() }
    let enrichment = Series(
      run.checkpoints.compactMap { step in
        Diagnosis.median(run.rows(run.shapeDelta, at: step).compactMap(Self.enrichment))
          .map { Series.Point(step: step, value: $0) }
      })
    let sustained = enrichment.trailing(checkpoints) { $0.min()! }
    guard let point = sustained.points.first(where: { $0.value > GeometryBounds.principalEnrichment }) else {
      return Judgement()
    }
    let isConstruction = StartDirections.isPrincipal(run.setup)
    return Judgement([
      finding(
        in: run, step: point.step, severity: isConstruction ? .info : .warning, value: point.value,
        threshold: GeometryBounds.principalEnrichment, baseline: 1,
        pValue: isConstruction ? nil : HealthyRuns.pValue(beyond: 1, of: 373, in: run), effectSize: point.value,
        "the leading directions of W₀ hold \(point.value.brief) times the energy that chance gives, at \(checkpoints) checkpoints in "
          + "a row" + (isConstruction ? "; \(run.method) begins there, which by itself is no sign of harm" : ""))
    ])
  }

  /// Of one module, where its update is no noise.
  private static func enrichment(_ row: SpectrumRow) -> Double? {
    guard let share = row.metrics[.bothEnergyTop], let left = row.metrics[.leftNullTop],
      let right = row.metrics[.rightNullTop], left * right > 0, row.isAboveNoise
    else { return nil }
    return share / (left * right)
  }
}

/// Where the updates of a method lie by construction.
enum StartDirections {
  /// The factors begin in the leading directions.
  static func isPrincipal(_ setup: RunSetup) -> Bool {
    setup.method == "pissa" || (setup.method == "svd" && setup.directions == "top")
  }

  /// Scaled rows or columns of W₀ have its spectrum, whatever is learned.
  static func followsSpectrum(_ method: String) -> Bool { method == "ia3" || method == "ln-tuning" }
}
