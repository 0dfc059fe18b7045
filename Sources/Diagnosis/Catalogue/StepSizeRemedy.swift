import Foundation

/// What helps where steps are too large, given what the run already does.
package enum StepSizeRemedy {
  /// Where no rate can be named, the advice is to divide by 3 to 10: this is the middle.
  package static let usualDivisor = 30.0.squareRoot()

  /// The rate at which the run's strides would be those of runs that end well: strides grow in proportion to the rate of their step, which a
  /// schedule, or the run's own gate, may have set below the highest.
  ///
  /// - Returns: nil where rate or bounds are unknown, or no stride is beyond them.
  package static func learningRate(for run: RunEvidence) -> Double? {
    guard let worst = run.strideExcesses.max(by: { $0.total < $1.total }), worst.total > 1,
      let rate = run.learningRate(of: worst.stride),
      let bounds = StrideBounds.at(spacing: worst.stride.stretch)
    else { return nil }
    let wished = rate * bounds.goal / worst.total
    let unit = pow(10, floor(log10(wished)) - 1)
    return (wished / unit).rounded() * unit
  }

  /// - Parameter learningRate: the rate to go to, where it is known.
  static func text(for setup: RunSetup, learningRate: Double? = nil) -> String {
    let rate: String? =
      if let learningRate, let now = setup.learningRate, learningRate >= now {
        "The learning rate has been lowered to \(now.brief) since: at \(learningRate.brief) the steps would be as large as those of runs that end "
          + "well."
      } else if let learningRate {
        "Lower the learning rate to \(learningRate.brief): then the steps would be as large as those of runs that end well."
      } else {
        setup.learningRate.map { "Divide the learning rate by 3 to 10: \(($0 / 10).brief) to \(($0 / 3).brief)." }
      }
    var parts = [rate ?? "Divide the learning rate by 3 to 10."]
    switch setup.method {
    case "pissa":
      parts.append(
        "PiSSA takes larger steps than LoRA at the same rate, along directions that bear less (`spectroscope plan` says by how much); LoRA and MiLoRA bear more."
      )
    case "rslora":
      parts.append("rsLoRA scales by α/√r, so its step is √r times that of LoRA.")
    case "lora-plus":
      parts.append("LoRA+ moves B faster by its ratio: a smaller ratio does the same.")
    case "full":
      parts.append("Full fine-tuning bears about a tenth of LoRA's rate.")
    default:
      break
    }
    if setup.method == "pissa", setup.dropout ?? 0 > 0 {
      parts.append("Set the dropout to 0: on PiSSA's factors it drops leading directions of the weight.")
    }
    if setup.warmupSteps ?? 0 > 0 || setup.maximumGradientNorm != nil {
      parts.append(
        "Warm-up and gradient clipping do not help: Adam's step has the size of the rate whatever the gradient's.")
    }
    return parts.joined(separator: " ")
  }
}
