import Diagnosis
import OrderedCollections
import RunStore
import Spectra
import Weights

/// The picture that shows what a finding says: a chart of behaviour, or a metric of the modules.
struct FindingPicture: Equatable, Sendable {
  enum Place: Equatable, Sendable {
    /// The chart of a column of the log.
    case behaviour(String)
    /// The heat map of a metric.
    case modules(Metric)
    /// What was not judged or analysed.
    case gaps
  }

  let place: Place
  let step: Int?
  let module: String?

  /// - Parameter run: a picture is named only where the run has what it shows.
  init(of finding: Finding, in run: ReportRun) {
    (step, module) = (finding.step, finding.module)
    switch Self.wished[finding.code] {
    case .modules(.leftRotationMax)?: place = .modules(Self.turnedSide(finding, in: run))
    case .behaviour("loss")? where finding.code != "SP412" && Self.undefinedColumn(finding, in: run) != nil:
      place = .behaviour(Self.undefinedColumn(finding, in: run)!)
    case .behaviour(let column)? where !run.evidence.timeline[column].isEmpty: place = .behaviour(column)
    case .modules(let metric)? where run.analysis.rows.contains(where: { $0.metrics[metric] != nil }):
      place = .modules(metric)
    default: place = .gaps
    }
  }

  /// The column with a chart that has no finite number at the step.
  private static func undefinedColumn(_ finding: Finding, in run: ReportRun) -> String? {
    let undefined = run.evidence.timeline.records.first { $0.step == finding.step }?.nonFinite ?? []
    return BehaviourData.columns.map(\.name).first { undefined.contains($0) && !run.evidence.timeline[$0].isEmpty }
  }

  /// The side whose largest turn is the one that the finding tells.
  private static func turnedSide(_ finding: Finding, in run: ReportRun) -> Metric {
    let rows = run.analysis.rows.filter { $0.step == finding.step && $0.module == finding.module }
    return [Metric.leftRotationMax, .rightRotationMax].first { side in
      rows.contains { $0.metrics[side] != nil && $0.metrics[side] == finding.value }
    } ?? .leftRotationMax
  }

  /// The part of the page that holds it, as a link without scripts reaches it.
  var anchor: String {
    switch place {
    case .behaviour: "behaviour"
    case .modules: "modules"
    case .gaps: "sources"
    }
  }

  /// What the link says.
  var title: String {
    switch place {
    case .behaviour: "See the curve"
    case .modules: module == nil ? "See the modules" : "See the module"
    case .gaps: "See the sources"
    }
  }

  /// What the page selects.
  func json(run: Int) -> JSONValue {
    var object: JSONValue = ["run": .integer(run)]
    if case .behaviour(let column) = place { object = ["run": .integer(run), "column": .string(column)] }
    if case .modules(let metric) = place { object = ["run": .integer(run), "metric": .string(metric.rawValue)] }
    guard var members = object.object else { return object }
    if let step { members["step"] = .integer(step) }
    if let module { members["module"] = .string(module.onOneLine) }
    return .object(members)
  }

  private static let wished: [String: Place] = [
    "SP101": .modules(.relativeNorm), "SP102": .modules(.relativeNorm), "SP103": .modules(.relativeNorm),
    "SP107": .modules(.numericalRank), "SP112": .modules(.relativeNorm),
    "SP201": .modules(.updateVelocity), "SP202": .modules(.shiftVelocity), "SP203": .modules(.updateVelocity),
    "SP204": .modules(.relativeNorm), "SP205": .modules(.effectiveRankOfEnergy), "SP211": .modules(.updateVelocity),
    "SP301": .modules(.bothEnergyTop), "SP302": .modules(.leftEnrichmentBottom),
    "SP303": .modules(.leftRotationMax), "SP304": .modules(.intruderEnergy),
    "SP401": .behaviour("reward"), "SP402": .behaviour("reward"), "SP403": .behaviour("reward"),
    "SP404": .behaviour("kl"), "SP405": .behaviour("kl"), "SP406": .behaviour("entropy"),
    "SP407": .behaviour("entropy"), "SP408": .behaviour("grad_norm"), "SP409": .behaviour("reward"),
    "SP410": .behaviour("reward"), "SP411": .behaviour("completions_mean_length"), "SP412": .behaviour("loss"),
    "SP413": .behaviour("loss"), "SP414": .behaviour("loss"), "SP506": .modules(.relativeNorm),
  ]
}
