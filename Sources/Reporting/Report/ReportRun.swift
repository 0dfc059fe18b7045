import Diagnosis
import RunStore
import Spectra

/// One run of a report: its analysis, what its trainer recorded, and what they come to.
package struct ReportRun: Sendable {
  package let name: String
  /// The file or folder that it was read from, as it was named.
  package let path: String
  package let analysis: Analysis
  package let records: TrainingRecords
  /// Where an `svd` run's factors begin, for the comparison.
  package let compared: ComparedRun
  let evidence: RunEvidence
  package let verdict: Verdict
  let diagnosis: DiagnosisText

  /// - Parameter run: with its name, the path it was given by, and its records where there are any.
  package init(_ run: ComparedRun) {
    (name, path, analysis, compared) = (run.name, run.path, run.analysis, run)
    records = run.records.isEmpty ? run.analysis.training ?? run.records : run.records
    evidence = RunEvidence(analysis, records: records)
    verdict = Verdict(on: evidence)
    diagnosis = DiagnosisText(verdict, of: evidence, coverage: analysis.origin.coverage)
  }

  /// Modules in natural order.
  var modules: [String] { evidence.modules.sorted(by: NaturalOrder.precedes) }

  /// The method by the name of its runs; `svd` has its directions in it.
  var method: String { evidence.boundedMethod }

  /// The nominal learning rate, where it is known.
  var learningRate: Double? { analysis.setup.learningRate ?? compared.learningRate }

  /// "pissa, r = 4, α = 8, learning rate 0.005".
  var setupText: String {
    let setup = analysis.setup
    return [
      evidence.method.isEmpty ? "method unknown" : evidence.method, setup.rank.map { "r = \($0)" },
      setup.alpha.map { "α = \($0 == $0.rounded() ? String(Int($0)) : String($0))" },
      learningRate.map { "learning rate \($0)" }, setup.objective,
    ].compactMap { $0 }.joined(separator: ", ")
  }
}

/// When the weights spoke, when the reward fell, and which came first.
struct OnsetLead: Equatable, Sendable {
  /// The first finding of at least a warning on velocity, spectrum or geometry.
  let spectral: Finding?
  /// The first step at which the reward is known to fall.
  let reward: Int?
  /// What tells that: the code of a finding, or nil for the curve looked back upon from its end.
  let rewardCode: String?

  init(_ run: ReportRun) {
    let findings = run.verdict.findings
    spectral = findings.filter { finding in
      (finding.code.hasPrefix("SP2") || finding.code.hasPrefix("SP3")) && finding.severity >= .warning
        && finding.cause != .loadMismatch && finding.step != nil
    }.min { $0.step! < $1.step! }
    let fall = findings.filter { ["SP401", "SP402"].contains($0.code) && $0.step != nil }.min { $0.step! < $1.step! }
    let rewards = run.evidence.timeline["reward"].points.map { (step: $0.step, reward: $0.value) }
    reward = fall?.step ?? RewardCollapse(rewards)?.onset
    rewardCode = fall?.code
  }

  /// Steps by which the weights led; negative where the reward fell first.
  var steps: Int? {
    guard let reward, let step = spectral?.step else { return nil }
    return reward - step
  }

  /// The lead in a sentence; nil where neither moved.
  var text: String? {
    let fall = reward.map { step in
      "the reward fell at step \(step) " + (rewardCode.map { "(\($0))" } ?? "(looking back from the end)")
    }
    switch (warning, fall) {
    case (let warning?, let fall?): return "\(warning), \(fall): \(order)."
    case (let warning?, nil): return "\(warning); no fall of the reward is known."
    case (nil, let fall?): return "\(fall.prefix(1).uppercased())\(fall.dropFirst()); the weights gave no warning."
    case (nil, nil): return nil
    }
  }

  private var warning: String? {
    spectral.map { finding in
      let what = finding.severity == .alert ? "The weights left their bounds" : "The weights gave a warning"
      return "\(what) at step \(finding.step!) (\(finding.code))"
    }
  }

  private var order: String {
    guard let steps, steps != 0 else { return "at once" }
    return "the \(steps > 0 ? "weights" : "reward") led by \(abs(steps)) \(Self.noun(abs(steps)))"
  }

  private static func noun(_ steps: Int) -> String { steps == 1 ? "step" : "steps" }
}
