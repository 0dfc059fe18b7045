import Diagnosis
import Spectra
import Testing

/// What findings come to.
struct VerdictTests {
  /// A calm run of the laboratory's kind.
  private func calm() -> RunBuilder {
    var run = RunBuilder()
    run.addUpdate { step, _ in [.frobeniusNorm: 0.01 * Double(step), .relativeNorm: 1e-3 * Double(step), .unitStep: 4] }
    run.add(.previous) { _, _ in [.frobeniusNorm: 0.05, .updateVelocity: 1e-3, .shiftVelocity: 1e-5] }
    return run
  }

  @Test func aCalmRunIsHealthy() {
    let verdict = Verdict(on: calm().evidence)
    #expect(verdict.outcome == .healthy && verdict.findings.isEmpty && verdict.gaps.isEmpty)
    #expect(verdict.onset == nil && verdict.lastHealthyCheckpoint == nil && verdict.lastCheckpoint == 30)
  }

  @Test func warningsAloneAreHealthy() {
    var run = calm()
    run.setup.trainer = .other
    run.setup.start = "pissa_niter_4"
    let verdict = Verdict(on: run.evidence)
    #expect(verdict.outcome == .healthy && verdict.warnings.map(\.code) == ["SP503"])
  }

  @Test func oneCheckpointSaysNothingOfChange() {
    var run = RunBuilder()
    run.steps = [5]
    run.addUpdate { _, _ in [.frobeniusNorm: 1, .relativeNorm: 0.1, .unitStep: 4] }
    let verdict = Verdict(on: run.evidence)
    #expect(verdict.outcome == .inconclusive)
    #expect(
      verdict.gaps.map(\.text) == [
        "one checkpoint says nothing of change: at least 2 are needed, or 5 records of reward or loss"
      ]
    )
    #expect(
      Verdict(on: RunBuilder().evidence).gaps.map(\.text) == [
        "no update could be measured: pass the adapter of step 0 with --initial, or wait for another checkpoint"
      ])
  }

  /// Beyond LoRA's bound from step 15 on, first in one module.
  private func fast() -> RunBuilder {
    var run = RunBuilder()
    let bounds = StrideBounds.at(spacing: 5)!
    let bound = bounds.alarm * bounds.methods["lora"]!.size.value
    run.addUpdate { step, _ in [.frobeniusNorm: 0.1 * Double(step), .relativeNorm: 0.01 * Double(step), .unitStep: 4] }
    run.add(.previous) { step, module in
      // Four modules that move alike are together twice as far as one.
      let share = bound * Stride(step: step, stretch: 5, size: 0, shift: nil).usual / 2
      return [.frobeniusNorm: 0.5, .updateVelocity: share * (step < 15 ? 0.1 : step == 15 && module != 2 ? 0.5 : 2)]
    }
    return run
  }

  @Test func theOnsetTheLastHealthyCheckpointAndTheSpread() throws {
    let verdict = Verdict(on: fast().evidence)
    #expect(verdict.outcome == .alert && verdict.cause == .stepSize)
    #expect(verdict.onset == 15 && verdict.lastHealthyCheckpoint == 10)
    let first = try #require(verdict.spread.departures.first)
    #expect(first.module == "layers.1.q_proj" && first.step == 15)
    #expect(verdict.spread.departures.map(\.step) == [15, 20, 20, 20] && verdict.spread.modules == 4)
  }

  /// A mean of five records lags behind what it tells of, and a record is of the weights before its step.
  @Test func theLastHealthyCheckpointLiesBeforeTheRecordsOfTheOnset() throws {
    var run = calm()
    run.steps = Array(1...40)
    run.addUpdate { step, _ in [.frobeniusNorm: 0.01 * Double(step), .relativeNorm: 1e-3 * Double(step), .unitStep: 4] }
    run.log("reward", (1...40).map { $0 < 30 ? 0.8 : 0 })
    let verdict = Verdict(on: run.evidence)
    #expect(verdict.onset.map { $0 >= 30 } == true && verdict.lastHealthyCheckpoint.map { $0 < 29 } == true)
    #expect(verdict.cause == nil)
  }

  /// Warm-up makes the first steps small, which later ones are not to be held against.
  @Test func aWarmUpIsNoCause() {
    var run = calm()
    run.log("learning_rate", (1...40).map { 1e-3 * min(1, Double($0) / 20) })
    run.log("update_velocity", (1...40).map { 1e-3 * min(1, Double($0) / 20) })
    run.log("reward", (1...40).map { $0 < 30 ? 0.8 : 0 })
    let verdict = Verdict(on: run.evidence)
    #expect(verdict.outcome == .alert && verdict.cause == nil && verdict.spread.departures.isEmpty)
  }

  @Test func aMismatchIsRuledOutBeforeACollapseIsBelieved() {
    var run = fast()
    run.reading = [
      Finding(code: "SP508", name: "base-differs", severity: .alert, cause: .loadMismatch, message: "another base")
    ]
    let verdict = Verdict(on: run.evidence)
    #expect(verdict.outcome == .alert && verdict.cause == .loadMismatch)
    #expect(verdict.alerts.map(\.code) == ["SP508"])
    #expect(
      verdict.gaps.map(\.text) == ["velocity and shape of the update, which SP508 base-differs makes meaningless"])
    #expect(verdict.findings[0].remedy == "Pass the base that the run was trained on with --base.")
  }

  @Test func findingsComeByOnsetAndTheGraverFirst() {
    var run = fast()
    run.setup.start = "pissa_niter_4"
    run.log("kl_increment", Array(repeating: 2 * BehaviourBound.klVelocity.value, count: 30))
    run.log("kl", (1...30).map { BehaviourBound.klLevel.value * Double($0) })
    #expect(Verdict(on: run.evidence).findings.map(\.code).prefix(4) == ["SP503", "SP404", "SP405", "SP201"])
  }
}
