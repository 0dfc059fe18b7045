import Adapters
import Spectra

/// B, or another factor of the update, is still exactly zero after training has begun.
enum UpdateIsZero: FindingKind {
  static let page = FindingPage(
    "SP101", "update-is-zero", .warning,
    meaning:
      "The update of a module is exactly zero although steps have been taken: B of a LoRA, or another factor, has not "
      + "moved from its start.",
    harm: "The adapter does nothing there: the model is the base, however long it trains.",
    evidence: "How many modules of how many have an update of norm 0 at a step.",
    thresholds: [.exact("‖ΔW‖_F", "0")],
    source: "The start of LoRA, B = 0 (Hu et al. 2021, section 4.1); norms of the stored factors.")

  static func remedy(for setup: RunSetup) -> String {
    "Check that the adapter's parameters are given to the optimiser, that they require gradients, and that gradients reach "
      + "them (with gradient checkpointing: enable_input_require_grads)."
  }

  /// The first checkpoint at which updates are still exactly zero although training has begun.
  static func judge(_ run: RunEvidence) -> Judgement {
    // An α of 0 makes updates zero whatever B is, and is a finding of its own.
    if run.reading.contains(where: { $0.code == AlphaIsZero.page.code }) { return Judgement() }
    for step in run.checkpoints where step > 0 {
      // A module that AdaLoRA has cut to rank 0 has no update for a reason, and a whole weight may be frozen.
      let rows = run.rows(.pretrained, at: step).filter {
        $0.method != AdapterMethod.full.rawValue && $0.metrics[.rank] != 0
      }
      let zero = rows.filter { $0.metrics[.frobeniusNorm] == 0 }
      guard let first = zero.first else { continue }
      return Judgement([
        finding(
          in: run, step: step, module: zero.count == 1 ? first.module : nil, value: Double(zero.count), threshold: 0,
          "the update of \(zero.count) of \(rows.count) modules is exactly zero at step \(step): a factor is still zero"
        )
      ])
    }
    return Judgement()
  }
}
