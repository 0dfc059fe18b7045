import Adapters
import ArgumentParser
import Measurement
import Reporting
import RunStore
import Spectra
import Training
import Weights

/// `spectroscope plan`.
struct Plan: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Says before a run how large its first steps will be, against LoRA's, and what to look out for.",
    discussion: """
      Adam moves every trained number by about the learning rate, so the first steps of a method are as large as its Jacobian. Sizes are \
      relative to the weights, per kind of layer; the LoRA beside them has the same rank and α. Every line says what it rests on: a \
      law (algebra), a measurement (notebooks-data/laboratory), or a report (with its source).

      PiSSA, MiLoRA and svd need the singular values of the base, which come from its spectral basis (see basis).
      """)

  @Option(help: ArgumentHelp("The base model's folder (default: the embedded base).", valueName: "dir"))
  var base: String?

  @OptionGroup(title: "Method") var adapter: AdapterArguments

  @Option(
    help: ArgumentHelp("The learning rate (default: none; sizes are per unit of it).", valueName: "rate"))
  var learningRate: Double?

  @Option(help: ArgumentHelp("The folder of the base's spectral basis (default: as for analyze).", valueName: "dir"))
  var basis: String?

  @Option(help: ArgumentHelp("How many weights to read at once (default: the number of cores).", valueName: "n"))
  var jobs: Int?

  @OptionGroup var output: OutputOptions

  func validate() throws {
    let method = configuration.method
    if base?.isEmpty == true { throw ValidationError("--base must name a folder, found an empty text") }
    if let jobs, jobs < 1 { throw ValidationError("--jobs must be at least 1, found \(jobs)") }
    try adapter.requireOptions(of: [method], comparesWithLoRA: true)
    try configuration.validate()
    try requireFit(of: method)
  }

  private func requireFit(of method: AdapterMethod) throws {
    let hasPatterns = adapter.rankPattern != nil || adapter.alphaPattern != nil
    if hasPatterns, !method.trained!.hasPatterns {
      throw ValidationError(TrainingError.noPatterns(method).description)
    }
    if adapter.dropout ?? 0 > 0, !method.trained!.hasDropout {
      throw ValidationError(TrainingError.noDropout(method).description)
    }
  }

  /// What `train` would make of the same options.
  private var configuration: TrainingConfiguration {
    var configuration = TrainingConfiguration()
    adapter.apply(to: &configuration)
    if let learningRate { configuration.learningRate = learningRate }
    return configuration
  }

  func run() throws {
    let configuration = configuration
    let plan = try plan(of: configuration.method.trained!, configuration.adapter, targets: configuration.targets)
    if output.json {
      Console.print(plan.json.text(pretty: true))
    } else if !output.quiet {
      Console.print(plan.text)
    }
  }

  private func plan(
    of method: any TrainedMethod.Type, _ adapter: AdapterOptions, targets: [String]?
  ) throws -> RunPlan {
    if let reason = method.reasonWithoutStepLaw { throw PlanError.noLaw(method.method, reason: reason) }
    let name = base ?? "the embedded base"
    let path = if let base { base } else { try BaseLocation.folder(for: RunIdentity.embeddedBase) }
    let planned = try PlannedBase(path: path, named: name, method: method, targets: targets)
    let options = adapter.resolved(for: method.method)
    try planned.requireRoom(for: options, of: method)
    let progress = output.quiet ? nil : ProgressLine()
    Interruption.listen()
    defer { progress?.clear() }
    let kept = method.startsInSingularValues ? KeptVectors(directions: options.rank) : nil
    let layers = try planned.layers(
      keeping: kept, kept.flatMap { _ in folder }, jobs: jobs ?? Analyze.availableCores,
      shouldStop: { Interruption.isWished }
    ) { progress?.show($0, kept == nil ? "reading" : "decomposing", "weights") }
    return RunPlan(
      method: method, adapter: adapter, layers: layers, learningRate: learningRate,
      base: name, isHalf: planned.isHalf)
  }

  /// Where the base's spectral basis is kept; the embedded base is decomposed faster than a file is read.
  private var folder: BasisFolder? {
    guard let base else { return basis.map { BasisFolder(path: $0) } }
    return BasisLocation.folder(named: basis, output: "plan", base: base)
  }
}
