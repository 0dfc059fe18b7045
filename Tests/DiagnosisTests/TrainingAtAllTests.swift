import Diagnosis
import Spectra
import Testing

/// SP1xx: did it train at all?
struct TrainingAtAllTests {
  private func run(_ norm: (_ step: Int, _ module: Int) -> Double) -> RunBuilder {
    var run = RunBuilder()
    run.addUpdate {
      [.frobeniusNorm: 10 * norm($0, $1), .relativeNorm: norm($0, $1), .unitStep: 4, .roundingFloor: 1e-9]
    }
    return run
  }

  @Test func anUpdateThatIsStillZero() throws {
    let finding = try #require(run { _, module in module == 2 ? 0 : 1e-3 }.findings("SP101").first)
    #expect(finding.step == 5 && finding.module == "layers.1.q_proj" && finding.severity == .warning)
    #expect(finding.message == "the update of 1 of 4 modules is exactly zero at step 5: a factor is still zero")
    #expect(finding.remedy?.hasPrefix("Check that the adapter's parameters are given to the optimiser") == true)
  }

  @Test func theSmallestUpdateIsNotZero() { #expect(run { _, _ in 1e-300 }.findings("SP101").isEmpty) }

  @Test func aModuleThatAdaLoRAHasCutIsZeroForAReason() {
    var run = RunBuilder(method: "adalora")
    run.addUpdate { _, module in [.frobeniusNorm: module == 0 ? 0 : 1, .rank: module == 0 ? 0 : 4] }
    #expect(run.findings("SP101").isEmpty)
  }

  @Test func tensorsThatDoNotMove() throws {
    var run = run { _, _ in 1e-3 }
    run.add(.previous) { step, _ in [.frobeniusNorm: step == 20 ? 0 : 1e-3] }
    let finding = try #require(run.findings("SP102").first)
    #expect(finding.step == 20)
    #expect(finding.message == "4 of 4 modules have not moved at all between steps 15 and 20")
    // The schedule had ended.
    run.log("learning_rate", (1...30).map { $0 > 15 ? 0 : 1e-3 })
    #expect(run.findings("SP102").isEmpty)
  }

  /// The run's own gate may have taken every update of a stretch back, or all but those of a rate of zero.
  @Test func refusedUpdatesMoveNothing() {
    var run = run { _, _ in 1e-3 }
    run.add(.previous) { step, _ in [.frobeniusNorm: step == 20 ? 0 : 1e-3] }
    run.log("learning_rate", (1...30).map { $0 == 18 ? 0 : 1e-3 })
    run.log("refused", (1...30).map { (16...20).contains($0) && $0 != 18 ? 1 : .nan })
    #expect(run.findings("SP102").isEmpty)
    run.records[16].values["refused"] = nil
    #expect(run.findings("SP102").first?.step == 20)
  }

  @Test func theSmallestMoveIsAMove() {
    var run = run { _, _ in 1e-3 }
    run.add(.previous) { _, _ in [.frobeniusNorm: 1e-300] }
    #expect(run.findings("SP102").isEmpty)
  }

  @Test func movesOfTheSizeOfRounding() throws {
    func run(_ norm: Double) -> RunBuilder {
      var run = RunBuilder(method: "full")
      run.addUpdate { _, module in [.relativeNorm: module == 0 ? 0 : norm, .roundingFloor: 1.66e-3] }
      return run
    }
    let finding = try #require(run(2e-3).findings("SP103").first)
    #expect(
      finding.message
        == "3 of 3 modules have moved by no more than rounding: layers.0.v_proj by 0.00200 of its norm, where rounding alone does 0.00166"
    )
    #expect(finding.baseline == 1.66e-3)
    // Half the energy is signal beyond √2 floors.
    #expect(run(1.415 * 1.66e-3).findings("SP103").isEmpty)
  }

  @Test func lessThanOneStep() throws {
    // A step at 1e-3 moves 4e-3.
    let finding = try #require(run { _, _ in 3.9e-3 }.findings("SP112").first)
    #expect(
      finding.message
        == "after 30 steps the update is 0.00390 of the weights' norm, less than one step at a rate of 0.00100 (0.00400)"
    )
    #expect(run { _, _ in 4.1e-3 }.findings("SP112").isEmpty)
    // Where the rate is unknown, one of 1e-6 counts.
    var unknown = run { _, _ in 4.1e-6 }
    unknown.setup.learningRate = nil
    #expect(unknown.findings("SP112").isEmpty)
    var smaller = run { _, _ in 3.9e-6 }
    smaller.setup.learningRate = 1e-9
    #expect(smaller.findings("SP112").count == 1)
  }
}
