import Foundation
import Spectra

/// The update grows faster than steps of one size can make it.
enum NormRunningAway: FindingKind {
  static let page = FindingPage(
    "SP204", "norm-running-away", .warning, cause: .stepSize,
    meaning:
      "The norm of the update grows with a higher power of the summed learning rate than steps of constant size allow: 1 "
      + "where the weight is linear in what is trained, 2 for a product of two factors, 3 for AdaLoRA's.",
    harm: "Steps grow with the update, which grows with the steps; such a run does not settle.",
    evidence: "The exponent over the last checkpoints, with its standard error, and the one that is allowed.",
    thresholds: [
      .derived(
        "exponent of ‖ΔW‖ over the summed rate, beyond what is allowed", "½, and p < 0.01 over all looks",
        falseAlarms: "at most 1 in 100 for steps of constant size",
        misses: "a run that runs away within two checkpoints")
    ],
    source: "‖ΔW‖ ≤ Σ‖δW‖; Adam's steps have the size of the rate.")

  static func remedy(for setup: RunSetup) -> String { StepSizeRemedy.text(for: setup) }

  /// Points of a fit.
  private static let width = 5

  static func judge(_ run: RunEvidence) -> Judgement {
    let norms = run.total(.relativeNorm, run.sizeDelta).points.filter { $0.step > 0 && $0.value > 0 }
    guard norms.count >= width, let travelled = SummedRate(run) else { return Judgement() }
    let allowed = exponent(of: run.method)
    let points = norms.compactMap { point in
      travelled.upTo(point.step).map { (step: point.step, x: log($0), y: log(point.value)) }
    }
    guard points.count >= width else { return Judgement() }
    for end in width...points.count {
      let window = points[(end - width)..<end]
      guard let fit = LinearFit(window.map { ($0.x, $0.y) }) else { continue }
      let p = Sequential.adjusted(fit.upperTail(ofSlopeBeyond: allowed), look: end - width + 1)
      guard fit.slope > allowed + 0.5, p < Sequential.level else { continue }
      return Judgement([
        finding(
          in: run, step: window.last!.step, value: fit.slope, threshold: allowed + 0.5, baseline: allowed, pValue: p,
          effectSize: fit.slope / allowed,
          "since step \(window.first!.step) the update grows as the summed learning rate to the power \(fit.slope.brief), where "
            + "steps of one size reach \(allowed.brief) at most")
      ])
    }
    return Judgement()
  }

  private static func exponent(of method: String) -> Double {
    switch method {
    case "full", "miss", "ia3", "ln-tuning", "lora-fa": 1
    case "adalora": 3
    default: 2
    }
  }
}

/// The learning rate summed over the steps so far; known where the rate is.
private struct SummedRate {
  private let run: RunEvidence

  init?(_ run: RunEvidence) {
    guard !run.timeline["learning_rate"].isEmpty || run.setup.learningRate != nil else { return nil }
    self.run = run
  }

  func upTo(_ step: Int) -> Double? {
    let logged = run.timeline["learning_rate"].points.filter { $0.step > 0 }
    guard let first = logged.first else { return run.setup.learningRate.map { $0 * Double(step) } }
    // A record that was written now and then holds until the next one.
    var (sum, last, rate) = (0.0, 0, first.value)
    for point in logged where point.step <= step {
      sum += rate * Double(point.step - 1 - last) + point.value
      (last, rate) = (point.step, point.value)
    }
    sum += rate * Double(step - last)
    return sum > 0 ? sum : nil
  }
}
