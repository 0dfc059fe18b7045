import Diagnosis
import Spectra
import Testing

/// What policies make of verdicts.
@Suite struct GateResultTests {
  private func finding(
    _ code: String, _ severity: Severity, step: Int? = nil, effect: Double? = nil, cause: Cause? = nil
  ) -> Finding {
    Finding(step: step, code: code, name: code, severity: severity, effectSize: effect, cause: cause, message: "")
  }

  private func verdict(_ findings: [Finding], gaps: [Gap] = []) -> Verdict {
    Verdict(findings: findings, gaps: gaps, run: RunEvidence(rows: []))
  }

  private func outcome(_ verdict: Verdict, _ policy: GatePolicy = GatePolicy()) -> Verdict.Outcome {
    GateResult(verdict, policy: policy).outcome
  }

  private let data = Gap(.data, "too little")
  private let calibration = Gap(.calibration, "another kind")

  @Test func withoutAPolicyItIsTheVerdict() {
    for verdict in [
      verdict([]), verdict([], gaps: [data]), verdict([], gaps: [calibration]), verdict([finding("SP402", .warning)]),
      verdict([finding("SP201", .alert)]), verdict([finding("SP201", .alert)], gaps: [data]),
    ] { #expect(outcome(verdict) == verdict.outcome) }
  }

  @Test(arguments: [(Verdict.Outcome.healthy, Int32(0)), (.alert, 1), (.inconclusive, 2)])
  func exitCodes(outcome: Verdict.Outcome, code: Int32) {
    let findings = outcome == .alert ? [finding("SP201", .alert)] : []
    let result = GateResult(verdict(findings, gaps: outcome == .inconclusive ? [data] : []))
    #expect(result.outcome == outcome && result.exitCode == code)
  }

  @Test func whatIsAcceptedMayBeMissing() {
    let both = verdict([], gaps: [data, calibration])
    #expect(outcome(both, GatePolicy(accepted: [.data])) == .inconclusive)
    #expect(outcome(both, GatePolicy(accepted: [.data, .calibration])) == .healthy)
    let result = GateResult(both, policy: GatePolicy(accepted: [.calibration]))
    #expect(result.questions.map(\.isAccepted) == [false, true])
  }

  @Test func warningsFailWhereThePolicySaysSo() {
    let warned = verdict([finding("SP402", .warning), finding("SP109", .info)])
    #expect(outcome(warned) == .healthy)
    let result = GateResult(warned, policy: GatePolicy(failsOn: .warning))
    #expect(result.outcome == .alert)
    #expect(result.entries.filter(\.fails).map(\.finding.code) == ["SP402"])
  }

  @Test func aSilencedAlertDoesNotFailAndIsShown() throws {
    let policy = GatePolicy(rules: ["SP201": .init(isSilenced: true, reason: "known")])
    let result = GateResult(verdict([finding("SP201", .alert, step: 5)]), policy: policy)
    #expect(result.outcome == .healthy && result.onset == nil && result.cause == nil)
    let entry = try #require(result.entries.first)
    #expect(entry.isSilenced && entry.reason == "known" && entry.finding.severity == .alert)
    #expect(outcome(verdict([finding("SP201", .alert)], gaps: [data]), policy) == .inconclusive)
    #expect(outcome(verdict([finding("SP201", .alert), finding("SP202", .alert)]), policy) == .alert)
  }

  @Test func severitiesAreReplaced() {
    let lowered = GatePolicy(rules: ["SP201": .init(severity: .info, reason: "known")])
    let result = GateResult(verdict([finding("SP201", .alert)]), policy: lowered)
    #expect(result.outcome == .healthy)
    #expect(result.entries[0].finding.severity == .info && result.entries[0].givenSeverity == .alert)
    #expect(
      outcome(verdict([finding("SP109", .info)]), GatePolicy(rules: ["SP109": .init(severity: .alert)])) == .alert)
  }

  @Test func aFatalFindingFailsWhateverItsSeverity() {
    let policy = GatePolicy(rules: ["SP109": .init(isFatal: true)])
    #expect(outcome(verdict([finding("SP109", .info)]), policy) == .alert)
    #expect(outcome(verdict([finding("SP108", .info)]), policy) == .healthy)
  }

  @Test func smallEffectsDoNotCount() {
    let policy = GatePolicy(rules: ["SP201": .init(leastEffect: 1.5)])
    #expect(outcome(verdict([finding("SP201", .alert, effect: 1.49)]), policy) == .healthy)
    #expect(outcome(verdict([finding("SP201", .alert, effect: 1.5)]), policy) == .alert)
    #expect(
      outcome(verdict([finding("SP201", .alert)]), policy) == .alert, "a fact has no effect size and always counts")
    let result = GateResult(verdict([finding("SP201", .alert, effect: 1.2)]), policy: policy)
    #expect(result.entries[0].reason == "its effect size is 1.20, and it counts from 1.50 on")
  }

  @Test func theOnsetIsThatOfWhatFails() {
    let findings = [
      finding("SP201", .alert, step: 5, cause: .stepSize), finding("SP401", .alert, step: 20, cause: .direction),
    ]
    let rows = [0, 5, 10, 20].map {
      SpectrumRow(step: $0, module: "m", method: "lora", delta: .initial, metrics: MetricValues(), singularValues: [])
    }
    let verdict = Verdict(findings: findings, gaps: [], run: RunEvidence(rows: rows))
    let whole = GateResult(verdict, checkpoints: [0, 5, 10, 20])
    #expect(whole.onset == 5 && whole.lastHealthyCheckpoint == 0 && whole.cause == .stepSize)
    let policy = GatePolicy(rules: ["SP201": .init(isSilenced: true, reason: "known")])
    let later = GateResult(verdict, policy: policy, checkpoints: [0, 5, 10, 20])
    #expect(later.onset == 20 && later.lastHealthyCheckpoint == 10 && later.cause == .direction)
  }

  @Test func aRuleWithoutEvidenceHasNotPassed() {
    let run = RunEvidence(rows: [])
    let coverage = GateResult(on: run, policy: GatePolicy()).coverage
    #expect(coverage.reasons["SP401"] == "there is no log of the trainer")
    #expect(
      coverage.reasons["SP201"]
        == "no update could be measured: pass the adapter of step 0 with --initial, or wait for another checkpoint")
    #expect(coverage.reasons["SP105"] == nil)
  }

  @Test(arguments: [
    ("SP20", "SP201"), ("sp105x", "SP105"), ("update-velocty", "SP201"), ("kl-velo", "SP404"), ("alpha", "SP105"),
  ])
  func theNearestKindIsFound(text: String, code: String) {
    #expect(Catalogue.kinds(near: text).map { $0.page.code }.contains(code))
  }

  @Test(arguments: ["", "zzzzzzzzzz", String(repeating: "x", count: 100_000)]) func nothingIsNear(text: String) {
    #expect(Catalogue.kinds(near: text).isEmpty)
  }
}
