import Diagnosis
import OrderedCollections
import RunStore
import Spectra
import Weights

/// What the charts of behaviour draw of a run: columns of its log, its strides beside their bounds, and the onsets.
struct BehaviourData {
  private let run: ReportRun

  init(_ run: ReportRun) { self.run = run }

  /// Columns of the log that have a chart, if the run has them.
  static let columns: [(name: String, title: String, unit: String, scale: PackedArray.Scale)] = [
    ("reward", "reward", "mean of the step's completions", .linear),
    ("accuracy", "held-out accuracy", "on problems never trained on", .linear),
    ("retention", "retention", "accuracy on what the base knew", .linear),
    ("entropy", "entropy", "nats a token", .linear), ("kl", "KL to the reference", "nats a token", .log),
    ("grad_norm", "gradient norm", "", .log), ("loss", "loss", "", .linear),
    ("completions_mean_length", "mean length", "tokens", .linear),
    ("frac_reward_zero_std", "groups of equal rewards", "share", .linear),
    ("learning_rate", "learning rate", "", .linear),
  ]

  var json: JSONValue {
    let lead = OnsetLead(run)
    return [
      "steps": .array(run.evidence.timeline.records.map { .integer($0.step) }),
      "columns": .array(Self.columns.compactMap(column)), "strides": strides, "onsets": onsets,
      "lead": lead.text.map { .string($0.onOneLine) } ?? .null,
      "spectral": lead.spectral?.step.map(JSONValue.integer) ?? .null,
      "reward": lead.reward.map(JSONValue.integer) ?? .null,
      "lastHealthy": run.verdict.lastHealthyCheckpoint.map(JSONValue.integer) ?? .null,
    ]
  }

  private func column(
    _ column: (name: String, title: String, unit: String, scale: PackedArray.Scale)
  ) -> JSONValue? {
    let values = run.evidence.timeline.records.map { $0.values[column.name] ?? .nan }
    guard values.contains(where: \.isFinite) else { return nil }
    var packed = PackedArray(values, scale: column.scale).json.object!
    packed["name"] = .string(column.name)
    packed["title"] = .string(column.title)
    packed["unit"] = .string(column.unit)
    return .object(packed)
  }

  /// How far a step moved the weights, summed over modules in quadrature, and the bound of the method where one is calibrated for the run.
  private var strides: JSONValue {
    let strides = run.evidence.strides
    guard !strides.isEmpty else { return .null }
    let isCalibrated = !run.verdict.gaps.contains { $0.kind == .calibration }
    let bounds = strides.map { stride -> (healthy: Double, value: Double)? in
      guard isCalibrated,
        let bound = StrideBounds.at(spacing: stride.stretch)?.methods[run.evidence.boundedMethod]?.size
      else { return nil }
      return (bound.healthy * stride.usual, bound.value * stride.usual)
    }
    return [
      "steps": .array(strides.map { .integer($0.step) }),
      "size": PackedArray(strides.map(\.size), scale: .log).json,
      "healthy": PackedArray(bounds.map { $0?.healthy ?? .nan }, scale: .log).json,
      "bound": PackedArray(bounds.map { $0?.value ?? .nan }, scale: .log).json,
    ]
  }

  /// The first step of each kind of finding that has one.
  private var onsets: JSONValue {
    var seen: Set<String> = []
    return .array(
      run.verdict.findings.filter { $0.step != nil && seen.insert($0.code).inserted }.map { finding in
        [
          "step": .integer(finding.step!), "code": .string(finding.code.onOneLine),
          "severity": .string(finding.severity.rawValue),
          "column": FindingPicture(of: finding, in: run).column.map(JSONValue.string) ?? .null,
        ]
      })
  }
}

extension FindingPicture {
  /// The chart of behaviour that shows it: a column of the log, or `strides`.
  var column: String? {
    switch place {
    case .behaviour(let column): column
    case .modules(.updateVelocity), .modules(.shiftVelocity): "strides"
    default: nil
    }
  }
}
