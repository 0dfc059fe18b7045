import Diagnosis
import Foundation
import Spectra
import Testing

/// SP2xx: spectrum and velocity of the update.
struct VelocityTests {
  /// A run that logs the same velocity at each of 30 steps.
  private func run(_ method: String = "lora", update: Double, shift: Double = 1e-5) -> RunBuilder {
    var run = RunBuilder(method: method)
    run.addUpdate { step, _ in [.relativeNorm: update * Double(step)] }
    run.log("update_velocity", Array(repeating: update, count: 30))
    run.log("shift_velocity", Array(repeating: shift, count: 30))
    return run
  }

  @Test func aVelocityBeyondTheMethodsBound() throws {
    // The bound of LoRA lies between its fastest healthy run, 0.0243, and its slowest collapsed one, 0.0385.
    let finding = try #require(run(update: 0.031).findings("SP201").first)
    #expect(finding.severity == .alert && finding.cause == .stepSize && finding.step == 1)
    #expect(
      finding.message
        == "a step moves the weights by 0.0310 of their norm, where healthy runs of lora stay below 0.0243 and the bound is 0.0306"
    )
    let p = try #require(finding.pValue)
    #expect(p < 0.01 && p > 0)
    #expect(finding.remedy == "Divide the learning rate by 3 to 10: 1.00e-04 to 3.33e-04.")
    #expect(run(update: 0.030).findings("SP201").isEmpty)
  }

  @Test func theBoundIsTheMethods() throws {
    let principal = try #require(run("pissa", update: 0.016).findings("SP201").first)
    // LoRA bears as much: it is not the size.
    #expect(principal.cause == .direction)
    #expect(
      principal.message.hasSuffix(
        "; steps of up to 0.0160 of the norm, as this run takes, LoRA bears: it is where they go"))
    #expect(run("pissa", update: 0.04).findings("SP201").first?.cause == .stepSize)
    #expect(run("lora", update: 0.016).findings("SP201").isEmpty)
  }

  @Test func whatSingularValuesMayMove() throws {
    let finding = try #require(run(update: 1e-3, shift: 0.0018).findings("SP202").first)
    #expect(
      finding.message
        == "a step moves singular values by 0.00180 of the weights' norm, where healthy runs of lora stay below 0.00103 and the bound is 0.00170"
    )
    #expect(run(update: 1e-3, shift: 0.0016).findings("SP202").isEmpty)
  }

  @Test func fromCheckpointsTheBoundIsThatOfTheirSpacing() throws {
    var run = RunBuilder()
    run.add(.previous) { _, module in [.updateVelocity: module == 1 ? 0.03 : 0.015] }
    // √(mean of squares) of the modules, which have equal norms, is 0.0199; the bound for 5 steps 0.0185.
    let finding = try #require(run.findings("SP201").first)
    #expect(finding.step == 5 && finding.module == "layers.0.v_proj")
    #expect(abs(finding.value! - (3 * 0.015 * 0.015 + 0.03 * 0.03).squareRoot() / 2) < 1e-15)
  }

  /// A first stretch of one step is held against the bound for one step, not against that of the others.
  @Test func everyStretchHasItsOwnBound() {
    var run = RunBuilder()
    run.steps = [1, 10, 20, 30]
    run.add(.previous) { step, _ in [.updateVelocity: step == 1 ? 0.024 : 0.012] }
    #expect(run.findings("SP201").isEmpty)
    var even = RunBuilder()
    even.steps = [5, 10, 20, 30]
    even.add(.previous) { step, _ in [.updateVelocity: step == 5 ? 0.024 : 0.012] }
    #expect(even.findings("SP201").first?.step == 5)
  }

  @Test(arguments: [
    ("width", "bounds of velocity are calibrated on models of width 32 to 128, and this one has 1536"),
    ("sft", "bounds of velocity are calibrated on reinforcement learning, and this run is supervised"),
    ("spacing", "bounds of velocity hold for checkpoints at most 10 steps apart, and some are 50"),
    ("rank", "bounds of velocity are calibrated on ranks of 1 to 16, and this one is 64"),
    (
      "rate",
      "bounds of velocity of lora are calibrated on learning rates of 3.00e-04 to 0.0200, and this one is 1.00e-05"
    ),
    ("unknown", "bounds of velocity hold for known learning rates, and this run's is unknown: pass the trainer's log"),
    (
      "objective",
      "bounds of velocity are calibrated on reinforcement learning, and neither reward nor loss tells whether this run is that"
    ),
    ("method", "bounds of velocity are not calibrated for loha"),
  ])
  func outsideTheCalibratedRangeNothingIsJudged(_ what: String, _ gap: String) {
    var run = RunBuilder(method: what == "method" ? "loha" : "lora")
    if what == "width" { run.shape = (1536, 8960) }
    if what == "sft" { run.setup.objective = "sft" }
    if what == "objective" { run.setup.objective = nil }
    if what == "spacing" { run.steps = [50, 100, 150] }
    if what == "rank" { run.setup.rank = 64 }
    if what == "rate" { run.setup.learningRate = 1e-5 }
    if what == "unknown" { run.setup.learningRate = nil }
    run.add(.previous) { _, _ in [.updateVelocity: 1e-5] }
    #expect(run.gaps("SP201") == [gap])
    #expect(run.findings("SP201").isEmpty)
  }

  /// Velocities from checkpoints of a model that no bound was taken from.
  private func large(_ velocities: [Double], rate: Double? = 1e-5) -> RunBuilder {
    var run = RunBuilder()
    run.shape = (1536, 1536)
    run.setup.learningRate = rate
    run.steps = velocities.indices.map { 10 * ($0 + 1) }
    let steps = run.steps
    run.add(.previous) { step, module in
      [.updateVelocity: velocities[steps.firstIndex(of: step)!] * (module == 3 && step > 40 ? 2 : 1), .unitStep: 30]
    }
    run.addUpdate { _, _ in [.unitStep: 30] }
    return run
  }

  @Test func aJumpAgainstTheRunsOwnPast() throws {
    let finding = try #require(large([1e-4, 1.2e-4, 1.1e-4, 1e-4, 1.1e-3, 1e-3]).findings("SP203").first)
    #expect(finding.severity == .alert && finding.step == 50 && finding.module == "layers.1.v_proj")
    #expect(finding.message == "a step moves the weights 13.3 times as far as at the start of the run at an equal rate")
    #expect(finding.pValue! < 0.01)
  }

  @Test func growthWithinWhatHealthyRunsDoIsNoJump() {
    #expect(large([1e-4, 1.2e-4, 1.1e-4, 1.5e-4, 2e-4, 3e-4]).findings("SP203").isEmpty)
  }

  @Test func aJumpThatTheRateExplainsIsNone() throws {
    var run = large([1e-4, 1.2e-4, 1.1e-4, 1e-4, 1.1e-3, 1e-3])
    run.log("learning_rate", (1...60).map { $0 > 40 ? 1e-4 : 1e-5 })
    #expect(run.findings("SP203").isEmpty)
    // Without any rate it can only be a warning.
    let unknown = try #require(large([1e-4, 1.2e-4, 1.1e-4, 1e-4, 1.1e-3, 1e-3], rate: nil).findings("SP203").first)
    #expect(unknown.severity == .warning)
    #expect(
      unknown.message
        == "a step moves the weights 13.3 times as far as at the start of the run, and no learning rate is known that would explain it"
    )
  }

  @Test func withoutAPastNothingIsJudged() {
    #expect(
      large([1e-4, 1e-4, 1e-2]).gaps("SP203")
        == ["the run's own past: that needs at least 4 stretches between checkpoints, and there are 3"])
  }

  /// ‖ΔW‖ as a power of the steps.
  private func growing(_ exponent: Double, method: String = "lora") -> RunBuilder {
    var run = RunBuilder(method: method)
    run.addUpdate { step, module in
      [.relativeNorm: 1e-4 * pow(Double(step), exponent) * (1 + 0.001 * noise(100, seed: module)[step])]
    }
    return run
  }

  @Test func aNormThatRunsAway() throws {
    let finding = try #require(growing(3).findings("SP204").first)
    #expect(finding.step == 25 && finding.severity == .warning)
    #expect(
      finding.message
        == "since step 5 the update grows as the summed learning rate to the power 3.00, where steps of one size reach 2.00 at most"
    )
    #expect(growing(2.4).findings("SP204").isEmpty)
    // A weight that is trained itself grows with the first power.
    #expect(growing(2.4, method: "full").findings("SP204").count == 1)
    #expect(growing(1.4, method: "full").findings("SP204").isEmpty)
  }

  private func ranked(_ ranks: [Double], method: String = "lora") -> RunBuilder {
    var run = RunBuilder(method: method)
    let steps = run.steps
    run.addUpdate { step, module in
      [
        .relativeNorm: 0.01, .roundingFloor: 1e-8, .numericalRank: 16,
        .effectiveRankOfEnergy: ranks[steps.firstIndex(of: step)!] * (module == 2 ? 0.9 : 1),
      ]
    }
    return run
  }

  @Test func anEffectiveRankThatFalls() throws {
    let finding = try #require(ranked([8, 9, 8, 6, 3.5, 3]).findings("SP205").first)
    #expect(finding.step == 25 && finding.cause == .rank)
    #expect(
      finding.message
        == "the effective rank has fallen to 38.9 % of its own largest in the median over 4 modules, to 3.50, where chance gives 12.5"
    )
    // Healthy runs fall to 46 %.
    #expect(ranked([8, 9, 8, 6, 4, 3.7]).findings("SP205").isEmpty)
    // A low rank from the start on is no fall, and the allocator cuts AdaLoRA's on purpose.
    #expect(ranked([1.1, 1.1, 1.1, 1.1, 1.05, 1.02]).findings("SP205").isEmpty)
    #expect(ranked([8, 9, 8, 6, 3.5, 3], method: "adalora").findings("SP205").isEmpty)
  }

  /// Updates of norm 1, of which `kept` is left at step 20.
  private func border(_ kept: Double) -> RunBuilder {
    var run = RunBuilder()
    run.addUpdate { _, _ in [.frobeniusNorm: 1] }
    run.add(.previous) { step, _ in [.frobeniusNorm: step == 20 ? (2 - 2 * kept).squareRoot() : 0.3] }
    return run
  }

  @Test func twoRunsInOneFolder() throws {
    let finding = try #require(border(0.05).findings("SP211").first)
    #expect(finding.step == 20 && finding.cause == .loadMismatch)
    #expect(
      finding.message
        == "of the update at step 15 only 5.00 % is left at step 20, in the median over 4 modules: there are two runs in this folder"
    )
    #expect(border(0.51).findings("SP211").isEmpty)
  }

  @Test func aLeapIsNoSecondRun() {
    var run = RunBuilder()
    run.addUpdate { step, _ in [.frobeniusNorm: step < 20 ? 1 : 30] }
    run.add(.previous) { step, _ in [.frobeniusNorm: step == 20 ? 30.5 : 0.3] }
    #expect(run.findings("SP211").isEmpty)
  }
}
