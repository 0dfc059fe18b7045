import Diagnosis
import Foundation
import Spectra
import Testing

/// SP2xx: spectrum and velocity of the update.
struct VelocityTests {
  private static let bounds = StrideBounds.at(spacing: 1)!

  /// A run whose strides are so many times the bounds of its method in size and in shift, times the alarm, at each of 30 steps.
  private func run(_ method: String = "lora", size: Double, shift: Double? = nil) -> RunBuilder {
    var run = RunBuilder(method: method)
    run.addUpdate { step, _ in [.relativeNorm: 1e-3 * Double(step)] }
    let bound = Self.bounds.methods[method]!
    let (size, shift) = (size * Self.bounds.alarm, shift.map { $0 * Self.bounds.alarm })
    // Four modules that move alike: in quadrature twice as far as one.
    func usual(_ step: Int) -> Double { 0.2 + 0.8 / Double(step).squareRoot() }
    run.logModules("update_velocity_by_module") { size * bound.size.value * usual($0) / 2 }
    if let shift { run.logModules("shift_velocity_by_module") { shift * bound.shift!.value * usual($0) / 2 } }
    return run
  }

  @Test func aStrideBeyondTheMethodsBound() throws {
    let finding = try #require(run(size: 1.01).findings("SP201").first)
    #expect(finding.severity == .alert && finding.cause == .stepSize && finding.step == 1)
    let bound = Self.bounds.methods["lora"]!.size
    #expect(
      finding.message
        == "a step moves the weights by \((1.01 * Self.bounds.alarm * bound.value).brief) of their norms, summed over modules in quadrature, where healthy runs "
        + "of lora stay below \(bound.healthy.brief) at this step and the bound is \(bound.value.brief)")
    #expect(abs(finding.effectSize! - 1.01 * Self.bounds.alarm) < 1e-12)
    let p = try #require(finding.pValue)
    #expect(p == Self.bounds.pValue(1.01 * Self.bounds.alarm) && p > 0 && p < 0.011)
    #expect(run(size: 0.99 / Self.bounds.alarm).findings("SP201").isEmpty)
  }

  /// A base that no bound is from may be as far beyond it.
  @Test func betweenBoundAndAlarmThereIsAWarning() throws {
    let finding = try #require(run(size: 0.999).findings("SP201").first)
    #expect(finding.severity == .warning && finding.message.hasSuffix("; by no more than a new base may"))
  }

  /// Size and shift err for different reasons: an alert takes both together.
  @Test func whatOneNumberSaysTheOtherMayTakeBack() throws {
    let warning = try #require(run(size: 1.2, shift: 0.5).findings("SP201").first)
    #expect(warning.severity == .warning && warning.cause == nil)
    #expect(warning.message.hasSuffix("; in their effect on singular values the steps are as usual"))
    #expect(run(size: 1.2, shift: 0.5).findings("SP202").isEmpty)
    let alert = try #require(run(size: 0.8, shift: 1.3).findings("SP202").first)
    #expect(alert.severity == .alert && run(size: 0.8, shift: 1.3).findings("SP201").isEmpty)
    #expect(alert.pValue == Self.bounds.pValue((0.8 * 1.3).squareRoot() * Self.bounds.alarm))
  }

  /// Scaled rows or columns carry singular values along, whatever they learn.
  @Test func aShiftThatFollowsFromTheSizeCountsForNothing() {
    var run = run("ia3", size: 0.5)
    run.logModules("shift_velocity_by_module") { _ in 1 }
    #expect(run.findings("SP202").isEmpty && run.findings("SP201").isEmpty)
  }

  @Test func theRemedyNamesTheRate() throws {
    let finding = try #require(run(size: 2).findings("SP201").first)
    let wished = 1e-3 * Self.bounds.goal / (2 * Self.bounds.alarm)
    let rate = try #require(StepSizeRemedy.learningRate(for: run(size: 2).evidence))
    #expect(abs(rate / wished - 1) < 0.05)
    #expect(
      finding.remedy
        == "Lower the learning rate to \(rate.brief): then the steps would be as large as those of runs that end well.")
    #expect(StepSizeRemedy.learningRate(for: run(size: 0.5).evidence) == nil)
  }

  /// In a warm-up the worst step may be one of a low rate; the rate to go to is below that one, not below the highest.
  @Test func theRemedyStartsFromTheRateOfTheStep() throws {
    var run = RunBuilder()
    let bound = Self.bounds.methods["lora"]!.size.value * Self.bounds.alarm
    run.log("update_stride", (1...30).map { ($0 == 3 ? 2 : 0.1) * bound * (0.2 + 0.8 / Double($0).squareRoot()) })
    run.log("learning_rate", (1...30).map { 1e-3 * min(1, Double($0) / 10) })
    let rate = try #require(StepSizeRemedy.learningRate(for: run.evidence))
    #expect(abs(rate / (3e-4 * Self.bounds.goal / (2 * Self.bounds.alarm)) - 1) < 0.05)
    // Since then the gate has lowered it further than that.
    run.setup.learningRate = rate / 2
    let finding = try #require(run.findings("SP201").first)
    #expect(finding.remedy?.hasPrefix("The learning rate has been lowered to \((rate / 2).brief) since") == true)
  }

  /// An update that was taken back is none of Adam's steps: the one behind it is as large as its first.
  @Test func aRefusedUpdateDoesNotCount() {
    let bound = Self.bounds.methods["lora"]!.size.value * Self.bounds.alarm
    func run(refused: Bool) -> RunBuilder {
      var run = RunBuilder()
      // 0.2 + 0.8/√t is 0.77 at the second step.
      run.log("update_stride", (1...30).map { $0 == 1 ? .nan : ($0 == 2 ? 0.9 : 0.2) * bound })
      if refused { run.log("refused", (1...30).map { $0 == 1 ? 1 : .nan }) }
      return run
    }
    #expect(run(refused: false).findings("SP201").first { $0.severity == .alert }?.step == 2)
    #expect(!run(refused: true).findings("SP201").contains { $0.severity == .alert })
    #expect(run(refused: true).evidence.strides.prefix(2).map(\.updates) == [1, 2])
  }

  /// A rate that leaps explains a collapse; one that falls, by a schedule or the run's own gate, does not.
  @Test(arguments: [(4.0, true), (3.9, false), (0.1, false)]) func aRateThatLeaps(factor: Double, explains: Bool) {
    var run = RunBuilder()
    run.log("learning_rate", (1...30).map { $0 < 10 ? 1e-3 : factor * 1e-3 })
    #expect(StepSizeCause.cause(of: 20, in: run.evidence) == (explains ? .stepSize : nil))
    #expect(StepSizeCause.cause(of: 9, in: run.evidence) == nil)
  }

  /// A warm-up that begins at 0, as Hugging Face's does, and a schedule that rests at 0 are no leaps.
  @Test func aRateOfZeroIsNoMeasure() {
    for rates in [(0..<30).map { 1e-5 * Double(min(10, $0)) }, (1...30).map { (10...20).contains($0) ? 0 : 1e-4 }] {
      var run = RunBuilder()
      run.log("learning_rate", rates)
      #expect(StepSizeCause.cause(of: 25, in: run.evidence) == nil)
    }
  }

  @Test func aMethodThatBeginsInLeadingDirectionsGoesTheWrongWay() throws {
    let principal = try #require(run("pissa", size: 1.1).findings("SP201").first)
    // LoRA bears as much: it is not the size.
    #expect(
      principal.cause == .direction
        && principal.message.hasSuffix("; steps of this size LoRA bears: it is where they go"))
    let ratio = Self.bounds.methods["lora"]!.size.value / Self.bounds.methods["pissa"]!.size.value
    #expect(run("pissa", size: 1.1 * ratio).findings("SP201").first?.cause == .stepSize)
  }

  @Test func fromCheckpointsTheBoundIsThatOfTheirSpacing() throws {
    let bound = StrideBounds.at(spacing: 5)!.methods["lora"]!.size.value
    func strides(_ times: Double) -> RunBuilder {
      var run = RunBuilder()
      run.add(.previous) { step, module in
        let usual = Stride(step: step, stretch: 5, size: 0, shift: nil).usual
        return [.updateVelocity: step < 10 ? 1e-4 : times * bound * usual / 2 * (module == 1 ? 1.2 : 1)]
      }
      return run
    }
    let finding = try #require(strides(1).findings("SP201").first)
    #expect(finding.step == 10 && finding.module == "layers.0.v_proj")
    #expect(strides(0.9).findings("SP201").isEmpty)
  }

  /// What training logs of the run as a whole, of each module, and what checkpoints tell are one number.
  @Test func aStrideIsTheSameWhereverItIsFrom() {
    var modules = RunBuilder()
    modules.logModules("update_velocity_by_module") { 0.01 / Double($0) }
    modules.logModules("shift_velocity_by_module") { 0.001 / Double($0) }
    var whole = RunBuilder()
    whole.log("update_stride", (1...30).map { 0.02 / Double($0) })
    whole.log("shift_stride", (1...30).map { 0.002 / Double($0) })
    var files = RunBuilder()
    files.steps = Array(1...30)
    files.add(.previous) { step, _ in
      [.updateVelocity: 0.01 / Double(step), .shiftVelocity: 0.001 / Double(step)]
    }
    let expected = (1...30).map { Stride(step: $0, stretch: 1, size: 0.02 / Double($0), shift: 0.002 / Double($0)) }
    for run in [modules, whole, files] {
      let strides = run.evidence.strides
      #expect(strides.map(\.step) == expected.map(\.step) && strides.allSatisfy { $0.stretch == 1 })
      #expect(
        zip(strides, expected).allSatisfy {
          abs($0.size / $1.size - 1) < 1e-14 && abs($0.shift! / $1.shift! - 1) < 1e-14
        })
    }
  }

  /// A shift that one module lacks is no shift of the whole.
  @Test func aShiftThatIsMissingSomewhereIsMissing() {
    var run = RunBuilder()
    run.add(.previous) { _, module in
      module == 0 ? [.updateVelocity: 0.01] : [.updateVelocity: 0.01, .shiftVelocity: 0.001]
    }
    #expect(run.evidence.strides.allSatisfy { $0.shift == nil } && run.evidence.strides.count == 6)
  }

  /// Adam's first steps are its largest: what is too much later on is usual at the first.
  @Test func theBoundFallsWithTheStep() {
    let bound = Self.bounds.methods["lora"]!.size.value
    var run = RunBuilder()
    run.logModules("update_velocity_by_module") { _ in 0.9 * bound / 2 }
    // 0.2 + 0.8/√t < 0.9 from the second step on.
    #expect(run.findings("SP201").first?.step == 2)
  }

  @Test(arguments: [
    ("width", "bounds of velocity are calibrated on models of width 32 to 128, and this one has 1536"),
    ("sft", "bounds of velocity are calibrated on reinforcement learning, and this run is supervised"),
    ("spacing", "bounds of velocity hold for checkpoints at most 30 steps apart, and some are 50"),
    ("rank", "bounds of velocity are calibrated on ranks of 1 to 16, and this one is 64"),
    ("length", "bounds of velocity are calibrated on runs of up to 300 steps, and this one has had 310"),
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
    if what == "length" { run.steps = Array(stride(from: 10, through: 320, by: 10)) }
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
