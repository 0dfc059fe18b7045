import Adapters
import Spectra

/// Tensors are the same, bit for bit, at two checkpoints between which training went on.
enum TensorsUnmoved: FindingKind {
  static let page = FindingPage(
    "SP102", "tensors-unmoved", .warning,
    meaning:
      "The weights of modules are the same at two checkpoints that follow each other, although steps lie between them.",
    harm:
      "Nothing is being learned there: steps are skipped, the rate is zero, or the optimiser has lost its parameters.",
    evidence: "The steps, and how many modules of how many have not moved between them.",
    thresholds: [.exact("‖δW‖_F between checkpoints", "0")],
    source: "Norms of the differences of stored factors; Adam moves every number that has a gradient.")

  static func remedy(for setup: RunSetup) -> String {
    "Look at grad_norm and learning_rate in the log between the two steps: a gradient of zero means that every group has "
      + "equal rewards, a rate of zero that the schedule has ended, neither that parameters are missing from the optimiser."
  }

  static func judge(_ run: RunEvidence) -> Judgement {
    for (before, step) in zip(run.checkpoints, run.checkpoints.dropFirst()) {
      guard run.rows(.previous, at: step).contains(where: { $0.metrics[.frobeniusNorm] == 0 }) else { continue }
      let rows = run.rows(.previous, at: step).filter { row in
        row.metrics[.rank] != 0 && run.series(.frobeniusNorm, run.sizeDelta, of: row.module).value(at: step) != 0
      }
      let still = rows.filter { $0.metrics[.frobeniusNorm] == 0 }
      guard let first = still.first, before > 0, !isAtRest(run, from: before, to: step) else { continue }
      return Judgement([
        finding(
          in: run, step: step, module: still.count == 1 ? first.module : nil, value: Double(still.count), threshold: 0,
          "\(still.count) of \(rows.count) modules have not moved at all between steps \(before) and \(step)")
      ])
    }
    return Judgement()
  }

  /// True where the log says why nothing moved: the schedule had no rate left, or there was no gradient, as where all groups are alike, or the
  /// run's own gate took the updates back.
  private static func isAtRest(_ run: RunEvidence, from before: Int, to step: Int) -> Bool {
    let refused = Set(run.timeline.refused.filter { $0 > before && $0 <= step })
    if refused.count == step - before { return true }
    let columns = [run.timeline["learning_rate"], run.timeline["grad_norm"], run.timeline["step_norm"]]
    let alike = [GroupOutcomes.failing(run), .passing(run)].map { $0.shares.map { 1 - $0.value } }
    return (columns + alike).contains { series in
      let stretch = series.points.filter { $0.step > before && $0.step <= step && !refused.contains($0.step) }
      return !stretch.isEmpty && stretch.allSatisfy { $0.value <= 0 }
    }
  }
}
