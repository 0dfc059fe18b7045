import Spectra

extension Comparison {
  /// What rows, ratios and signs of the tables are, a paragraph each; of what is shown alone.
  var legend: [String] {
    let ratio =
      "ratio      to \(runs[0].name); ° it was there on the first line and has not grown since, by more than a tenth"
    return [ratio] + constructionLegend + [sizeLegend] + shapeLegend + rewardLegend + interpolationLegend
  }

  private var constructionLegend: [String] {
    Construction.allCases.compactMap { construction in
      let isSeen = construction == .otherRank || quantities.contains { construction.decides($0) && $0.title != nil }
      let names = runs.indices.filter { constructions[$0].contains(construction) }.map { runs[$0].name }
      guard isSeen, !names.isEmpty else { return nil }
      return "           * by construction of \(Self.list(names)): \(construction.reason)"
    }
  }

  private var sizeLegend: String {
    let shift =
      quantities.contains(.shiftVelocity) ? ", and shift velocity as the part of it that moves singular values" : ""
    return
      "sizes      ‖ΔW‖/‖W₀‖ and spectral shift since the start, and per step since the checkpoint before velocity\(shift): "
      + "totals over the \(modules.names.count) common modules"
  }

  private var shapeLegend: [String] {
    let names = runs.indices.filter { trajectories[$0].isWithoutMagnitude }.map { runs[$0].name }
    let magnitudes = names.isEmpty ? "" : ", of \(Self.list(names)) without what the magnitudes did (init.direction)"
    if quantities.contains(.enrichmentTop) {
      return [
        "energy     share of ‖ΔW‖² in W₀'s first k (top) or last k (bottom) singular vectors ÷ what chance gives; "
          + "overlap: mean cos² of the angles to the first k; both, and effective rank, are medians over modules\(magnitudes)"
      ]
    }
    return quantities.contains(.effectiveRank)
      ? ["shape      effective rank is a median over modules\(magnitudes)"] : []
  }

  private var rewardLegend: [String] {
    guard quantities.contains(.reward) else { return [] }
    return [
      "reward     mean of the completions drawn since the checkpoint before; held-out: on problems never trained on"
    ]
  }

  private var interpolationLegend: [String] {
    guard !norms.points.isEmpty else { return [] }
    return ["equal ‖ΔW‖ interpolated between checkpoints, in log ‖ΔW‖_F, where it first gets there"]
  }
}
