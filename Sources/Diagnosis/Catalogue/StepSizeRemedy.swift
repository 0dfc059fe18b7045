/// What helps where steps are too large, given what the run already does.
enum StepSizeRemedy {
  static func text(for setup: RunSetup) -> String {
    let rate = setup.learningRate.map {
      "Divide the learning rate by 3 to 10: \(($0 / 10).brief) to \(($0 / 3).brief)."
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
