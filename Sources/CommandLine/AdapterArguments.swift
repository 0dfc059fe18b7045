import Adapters
import ArgumentParser
import OrderedCollections
import Training

private let defaults = TrainingConfiguration()

/// Which adapter, as options of the command line. What is not given is left as it is.
struct AdapterArguments: ParsableArguments {
  @Option(help: "The method (default: \(defaults.method.rawValue)).")
  var method: TrainableMethod?

  @Option(
    help: ArgumentHelp(
      "Rank r of the update (default: \(TrainedLoRA.defaultRank); \(TrainedVeRA.defaultRank) for vera, 1 for rank1). "
        + "AdaLoRA has it on average at the end.", valueName: "r"))
  var rank: Int?

  @Option(
    help: ArgumentHelp(
      "α; the update is scaled by α/r, for rslora by α/√r (default: \(TrainedLoRA.defaultAlpha), for rank1 "
        + "\(TrainedRank1.defaultAlpha)).", valueName: "alpha"))
  var alpha: Double?

  @Option(
    help: ArgumentHelp(
      "Ranks of layers of their own, by the ends of their names, such as q_proj=8,down_proj=2.", valueName: "pattern"))
  var rankPattern: Pattern<Int>?

  @Option(help: ArgumentHelp("The same for α.", valueName: "pattern"))
  var alphaPattern: Pattern<Double>?

  @Option(
    help: ArgumentHelp(
      "The layers to adapt, by the ends of their names, with commas between them (default: all seven linear layers; ia3 and "
        + "ln-tuning: PEFT's choice).", valueName: "names"))
  var targets: String?

  @Option(
    help: ArgumentHelp(
      "The share of the adapters' inputs that is set to zero while gradients are taken (default: 0).", valueName: "p"))
  var dropout: Double?

  @Option(
    help: ArgumentHelp(
      "Start PiSSA from a randomised decomposition with so many power iterations, as PEFT's pissa_niter_k (default: an "
        + "exact one).", valueName: "k"))
  var pissaNiter: Int?

  @Option(
    help: ArgumentHelp(
      "LoRA+: how many times as fast as A B learns (default: \(defaults.adapter.rateRatio)).",
      valueName: "ratio"))
  var loraPlusRatio: Double?

  @Option(
    help: ArgumentHelp("AdaLoRA: the rank at the start (default: one and a half times the rank).", valueName: "r"))
  var adaloraInitialRank: Int?

  @Flag(
    help: "AdaLoRA: keep all ranks and leave the orthogonality term out, as trainers do that know nothing of either.")
  var adaloraFixedRank = false

  @Option(help: ArgumentHelp("AdaLoRA: updates before ranks are cut (default: 0).", valueName: "n"))
  var adaloraInitialSteps: Int?

  @Option(help: ArgumentHelp("AdaLoRA: updates behind the last cut (default: 0).", valueName: "n"))
  var adaloraFinalSteps: Int?

  @Option(
    help: ArgumentHelp(
      "AdaLoRA: updates between two cuts (default: \(defaults.adapter.adalora.interval)).", valueName: "n"))
  var adaloraInterval: Int?

  @Option(
    help: ArgumentHelp(
      "AdaLoRA: the weight of the orthogonality term in the loss (default: \(defaults.adapter.adalora.orthogonality)).",
      valueName: "w"))
  var adaloraOrthogonality: Double?

  @Option(
    help: ArgumentHelp(
      "VeRA: what λ_d begins with (default: \(defaults.adapter.veraInitial)).", valueName: "d"))
  var veraInitial: Double?

  @Option(help: "svd: the singular directions of the base that the factors begin in (default: top).")
  var directions: SVDDirections?

  @Option(help: "svd: the singular values that they begin with (default: top).")
  var magnitudes: SVDMagnitudes?

  func validate() throws {
    if targets?.isEmpty == true { throw ValidationError("--targets must name layers, found an empty text") }
  }

  /// Throws where an option is given that none of the methods takes.
  ///
  /// - Parameter comparesWithLoRA: whether rank and α are those of a LoRA beside the method, too, so that they go with any.
  func requireOptions(of methods: [AdapterMethod], comparesWithLoRA: Bool = false) throws {
    func require(_ option: String, _ isGiven: Bool, _ takes: (any TrainedMethod.Type) -> Bool, _ owners: String) throws
    {
      guard isGiven, !methods.contains(where: { $0.trained.map(takes) ?? false }) else { return }
      throw ValidationError("\(option) goes with \(owners) alone")
    }
    let own: [(option: String, isGiven: Bool, method: AdapterMethod)] = [
      ("--pissa-niter", pissaNiter != nil, .pissa), ("--lora-plus-ratio", loraPlusRatio != nil, .loraPlus),
      ("--adalora-initial-rank", adaloraInitialRank != nil, .adalora),
      ("--adalora-fixed-rank", adaloraFixedRank, .adalora),
      ("--adalora-initial-steps", adaloraInitialSteps != nil, .adalora),
      ("--adalora-final-steps", adaloraFinalSteps != nil, .adalora),
      ("--adalora-interval", adaloraInterval != nil, .adalora),
      ("--adalora-orthogonality", adaloraOrthogonality != nil, .adalora),
      ("--vera-initial", veraInitial != nil, .vera),
      ("--directions", directions != nil, .svd), ("--magnitudes", magnitudes != nil, .svd),
    ]
    for (option, isGiven, owner) in own {
      try require(option, isGiven, { $0.method == owner }, "--method \(owner.rawValue)")
    }
    if comparesWithLoRA { return }
    try require("--rank", rank != nil, { $0.isRanked }, "methods that have a rank")
    try require("--alpha", alpha != nil, { Self.hasAlpha($0) }, "methods that have an α")
    if methods.count == 1, let rank, let fixed = methods[0].trained?.fixedRank, rank != fixed {
      throw ValidationError("--method \(methods[0].rawValue) has rank \(fixed), found --rank \(rank)")
    }
  }

  private static func hasAlpha(_ method: any TrainedMethod.Type) -> Bool {
    method.scaling(AdapterOptions().resolved(for: method.method)) != nil
  }

  func apply(to configuration: inout TrainingConfiguration) {
    if let method { configuration.method = method.method }
    if let rank { configuration.adapter.rank = rank }
    if let alpha { configuration.adapter.alpha = alpha }
    if let rankPattern { configuration.adapter.rankPattern = rankPattern.values }
    if let alphaPattern { configuration.adapter.alphaPattern = alphaPattern.values }
    if let targets { configuration.targets = targets.split(separator: ",").map(String.init) }
    if let dropout { configuration.adapter.dropout = dropout }
    if let pissaNiter { configuration.adapter.pissaIterations = pissaNiter }
    if let loraPlusRatio { configuration.adapter.rateRatio = loraPlusRatio }
    if let adaloraInitialRank { configuration.adapter.adalora.initialRank = adaloraInitialRank }
    if adaloraFixedRank { configuration.adapter.adalora.allocates = false }
    if let adaloraInitialSteps { configuration.adapter.adalora.initialSteps = adaloraInitialSteps }
    if let adaloraFinalSteps { configuration.adapter.adalora.finalSteps = adaloraFinalSteps }
    if let adaloraInterval { configuration.adapter.adalora.interval = adaloraInterval }
    if let adaloraOrthogonality { configuration.adapter.adalora.orthogonality = adaloraOrthogonality }
    if let veraInitial { configuration.adapter.veraInitial = veraInitial }
    if let directions { configuration.adapter.directions = directions }
    if let magnitudes { configuration.adapter.magnitudes = magnitudes }
  }
}

/// Names with a number each, such as `q_proj=8,down_proj=2`.
struct Pattern<Value: LosslessStringConvertible & Sendable>: ExpressibleByArgument, Sendable {
  var values: OrderedDictionary<String, Value> = [:]

  init?(argument: String) {
    for part in argument.split(separator: ",", omittingEmptySubsequences: false) {
      let sides = part.split(separator: "=", omittingEmptySubsequences: false)
      guard sides.count == 2, !sides[0].isEmpty, let value = Value(String(sides[1])),
        values.updateValue(value, forKey: String(sides[0])) == nil
      else { return nil }
    }
  }
}

extension SVDDirections: ExpressibleByArgument {}
extension SVDMagnitudes: ExpressibleByArgument {}

/// The methods that can be trained.
struct TrainableMethod: ExpressibleByArgument {
  let method: AdapterMethod

  init?(argument: String) {
    guard let method = AdapterMethod(rawValue: argument), method.trained != nil else { return nil }
    self.method = method
  }

  static var allValueStrings: [String] { AdapterMethod.trainable.map(\.rawValue) }
}
