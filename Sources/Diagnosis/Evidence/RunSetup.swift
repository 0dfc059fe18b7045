/// What is known of how a run was set up. What is not known is nil.
package struct RunSetup: Equatable, Sendable, Codable {
  /// Who trained, as far as it decides what a number of the log means.
  package enum Trainer: String, Sendable, Codable {
    /// The training core of this program.
    case own
    /// Another one, whose checkpoints are adapters of PEFT or weights.
    case other
  }

  package var trainer = Trainer.other
  /// The contract's name of the method.
  package var method = ""
  package var rank: Int?
  package var alpha: Double?
  /// `init_lora_weights` as it is written.
  package var start: String?
  /// Of the method `svd`: the singular directions that its factors begin in.
  package var directions: String?
  /// The highest learning rate of the run.
  package var learningRate: Double?
  package var dropout: Double?
  /// `grpo`, `sft`, …
  package var objective: String?
  package var klCoefficient: Double?
  package var maximumGradientNorm: Double?
  package var warmupSteps: Int?
  /// The smaller side of the largest weight, where no spectra tell it.
  package var largestOrder: Int?
  /// True where the adapter of step 0 is at hand.
  package var hasInitial: Bool?
  /// True where the base was changed by −s·B₀·A₀ at the start.
  package var subtractsStart: Bool?

  package init() {}
}
