import ArgumentParser
import Training

/// What is optimised, as options of the command line. What is not given is left as it is.
struct ObjectiveArguments: ParsableArguments {
  @Option(help: "What is optimised (default: \(TrainingConfiguration().objective.rawValue)).")
  var objective: TrainingConfiguration.Objective?

  @Option(
    help: ArgumentHelp(
      "What the sum of the tokens' losses is divided by: the number of tokens; token by token, the completion's length and "
        + "the number of completions; or completions times the longest possible (default: token; dr-grpo: constant).",
      valueName: "divisor"))
  var lossAggregation: PolicyLossOptions.Aggregation?

  @Option(
    help: ArgumentHelp(
      "The standard deviation that advantages are divided by (default: group; dr-grpo: none).", valueName: "scale"))
  var scaleRewards: PolicyLossOptions.RewardScale?

  @Option(
    help: ArgumentHelp(
      "The ratio to the old policy is clipped below 1 − this (default: \(PolicyLossOptions().clipLow)).",
      valueName: "epsilon"))
  var clipLow: Double?

  @Option(
    help: ArgumentHelp(
      "The ratio is clipped above 1 + this (default: \(PolicyLossOptions().clipHigh); dr-grpo: 0.2).",
      valueName: "epsilon"))
  var clipHigh: Double?

  @Option(help: ArgumentHelp("β of the KL penalty to the base (default: 0).", valueName: "beta"))
  var klCoefficient: Double?

  @Option(
    help: ArgumentHelp(
      "Completions that are too long: those that were cut are kept out of the loss (filter), long ones are worth less "
        + "(soft), or neither (default: none; dapo: filter).", valueName: "handling"))
  var overlong: OverlongOptions.Handling?

  @Option(
    help: ArgumentHelp(
      "Over how many tokens below the longest possible the soft penalty rises to 1 (default: a quarter of it).",
      valueName: "n"))
  var overlongCache: Int?

  @Flag(
    inversion: .prefixedNo,
    help: "Replace groups that all pass or all fail by fresh prompts (default: no; dapo: yes).")
  var dynamicSampling: Bool?

  @Option(
    help: ArgumentHelp(
      "How many times a step draws at most (default: \(DynamicSampling().mostRounds)).", valueName: "n"))
  var mostSamplingRounds: Int?

  /// Throws where an option is given that the objective does not take.
  func requireOptions(of configuration: TrainingConfiguration) throws {
    if !configuration.objective.isReinforcement, let name = given.first {
      throw ValidationError(
        "\(name) goes with an objective that learns from rewards, found \(configuration.objective.rawValue)")
    }
    if overlongCache != nil, configuration.overlong.handling != .soft {
      throw ValidationError("--overlong-cache goes with --overlong soft alone")
    }
    if mostSamplingRounds != nil, !configuration.dynamicSampling.isOn {
      throw ValidationError("--most-sampling-rounds goes with --dynamic-sampling alone")
    }
  }

  /// The names of the options that only rewards give a meaning, as far as they were given.
  private var given: [String] {
    [
      ("--loss-aggregation", lossAggregation != nil), ("--scale-rewards", scaleRewards != nil),
      ("--clip-low", clipLow != nil), ("--clip-high", clipHigh != nil), ("--kl-coefficient", klCoefficient != nil),
      ("--overlong", overlong != nil), ("--overlong-cache", overlongCache != nil),
      ("--dynamic-sampling", dynamicSampling == true), ("--no-dynamic-sampling", dynamicSampling == false),
      ("--most-sampling-rounds", mostSamplingRounds != nil),
    ].filter { $0.1 }.map { $0.0 }
  }

  func apply(to configuration: inout TrainingConfiguration) {
    if let objective { configuration.objective = objective }
    if let lossAggregation { configuration.overrides.aggregation = lossAggregation }
    if let scaleRewards { configuration.overrides.rewardScale = scaleRewards }
    if let clipLow { configuration.overrides.clipLow = clipLow }
    if let clipHigh { configuration.overrides.clipHigh = clipHigh }
    if let klCoefficient { configuration.overrides.klCoefficient = klCoefficient }
    if let overlong { configuration.overrides.overlong = overlong }
    if let overlongCache { configuration.overrides.overlongCache = overlongCache }
    if let dynamicSampling { configuration.overrides.dynamicSampling = dynamicSampling }
    if let mostSamplingRounds { configuration.overrides.mostSamplingRounds = mostSamplingRounds }
  }
}

extension TrainingConfiguration.Objective: ExpressibleByArgument {}
extension PolicyLossOptions.Aggregation: ExpressibleByArgument {}
extension PolicyLossOptions.RewardScale: ExpressibleByArgument {}
extension OverlongOptions.Handling: ExpressibleByArgument {}
