import Adapters
import Spectra

extension AdapterRemark.Kind {
  /// The stable code, the name and the severity of what was noticed while reading.
  fileprivate var catalogued: (code: String, name: String, severity: Severity) {
    switch self {
    case .bIsZero: ("SP101", "update-is-zero", .warning)
    case .nonFinite: ("SP104", "non-finite-values", .alert)
    case .alphaIsZero: ("SP105", "alpha-is-zero", .alert)
    case .matchesNoModule: ("SP106", "matches-no-module", .warning)
    case .rankOffConfiguration: ("SP107", "rank-off-configuration", .warning)
    case .alphaIsMissing: ("SP108", "alpha-is-missing", .warning)
    case .notAnalysed: ("SP109", "not-analysed", .info)
    case .damagedCheckpoint: ("SP110", "damaged-checkpoint", .warning)
    case .runIndexIsLost: ("SP111", "run-index-is-lost", .warning)
    case .seriesChanged: ("SP210", "series-changed", .warning)
    case .startIsUnknown: ("SP502", "start-is-unknown", .warning)
    case .startIsRecomputed: ("SP507", "start-is-recomputed", .info)
    case .convertedAdapter: ("SP504", "converted-adapter", .info)
    case .baseDiffers: ("SP508", "base-differs", .alert)
    }
  }

  /// Kinds that say one thing about many modules; only the strongest remark of a step becomes a finding.
  fileprivate var speaksForAll: Bool { self == .startIsRecomputed || self == .startIsUnknown }
}

extension Finding {
  /// The finding that a remark made while reading becomes.
  package init(_ remark: AdapterRemark) {
    let entry = remark.kind.catalogued
    self.init(
      step: remark.step, code: entry.code, name: entry.name, severity: entry.severity, module: remark.module,
      value: remark.value, message: remark.message)
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

  /// One finding per step at which updates are still exactly zero although training has begun.
  package static func zeroUpdates(in rows: [SpectrumRow]) -> [Finding] {
    let sincePretraining = rows.filter {
      // A module that AdaLoRA has cut to rank 0 has no update for a reason.
      $0.delta == .pretrained && $0.step > 0 && $0.method != AdapterMethod.full.rawValue && $0.metrics[.rank] != 0
    }
    return Dictionary(grouping: sincePretraining, by: \.step).sorted { $0.key < $1.key }.compactMap { step, rows in
      let zero = rows.count { $0.metrics[.frobeniusNorm] == 0 }
      guard zero > 0 else { return nil }
      let message: String =
        "the update of \(zero) of \(rows.count) modules is exactly zero at step \(step): B is still zero, or α is. "
        + "Check that the adapter's parameters are given to the optimiser and that gradients reach them"
      return Finding(AdapterRemark(.bIsZero, step: step, value: Double(zero), message))
    }
  }
}
