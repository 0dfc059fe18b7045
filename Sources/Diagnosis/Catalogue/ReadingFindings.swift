import Adapters

extension AdapterRemark.Kind {
  /// The kind of finding that what was noticed while reading becomes.
  fileprivate var kind: any FindingKind.Type {
    switch self {
    case .bIsZero: UpdateIsZero.self
    case .nonFinite: NonFiniteValues.self
    case .alphaIsZero: AlphaIsZero.self
    case .matchesNoModule: MatchesNoModule.self
    case .rankOffConfiguration: RankOffConfiguration.self
    case .alphaIsMissing: AlphaIsMissing.self
    case .notAnalysed: NotAnalysed.self
    case .damagedCheckpoint: DamagedCheckpoint.self
    case .runIndexIsLost: RunIndexIsLost.self
    case .seriesChanged: SeriesChanged.self
    case .startIsUnknown: StartIsUnknown.self
    case .startIsRecomputed: StartIsRecomputed.self
    case .convertedAdapter: ConvertedAdapter.self
    case .baseDiffers: BaseDiffers.self
    case .startIsNotOfBase: WrongBase.self
    case .damagedLog: DamagedLog.self
    case .trainedUnderAlphaZero: MergeWroteAlphaZero.self
    }
  }

  /// Kinds that say one thing about many modules; only the strongest remark of a step becomes a finding.
  fileprivate var speaksForAll: Bool { self == .startIsRecomputed || self == .startIsUnknown }
}

extension Finding {
  /// The finding that a remark made while reading becomes.
  package init(_ remark: AdapterRemark) {
    let page = remark.kind.kind.page
    self.init(
      step: remark.step, code: page.code, name: page.name, severity: page.severity, module: remark.module,
      value: remark.value, cause: page.cause, message: remark.message)
  }

  /// The findings of remarks, each once, by step and code.
  package static func findings(from remarks: [AdapterRemark]) -> [Finding] {
    var strongest: [AdapterRemark.Kind: AdapterRemark] = [:]
    var single: Set<AdapterRemark> = []
    for remark in remarks {
      guard remark.kind.speaksForAll else {
        single.insert(remark)
        continue
      }
      if remark.value ?? 0 >= strongest[remark.kind]?.value ?? -1 { strongest[remark.kind] = remark }
    }
    let findings = single.union(strongest.values).map { Finding($0) }
    return findings.sorted { $0.orderingKey < $1.orderingKey }
  }

  private var orderingKey: (Int, String, String, String) { (step ?? -1, code, module ?? "", message) }
}
