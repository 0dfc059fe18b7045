import Diagnosis
import Spectra
import Testing

/// SP5xx: loading and conversion traps.
struct LoadingTests {
  /// A PiSSA whose start was computed again: a first stretch, and others that move `velocity` a step.
  private func recomputed(first: Double, velocity: Double = 1e-3) -> RunBuilder {
    var run = RunBuilder(method: "pissa")
    run.reading = [Finding(code: "SP507", name: "start-is-recomputed", severity: .info, message: "")]
    run.addUpdate { step, _ in [.relativeNorm: first + velocity * Double(step - 5)] }
    run.add(.previous) { step, _ in step > 5 ? [.updateVelocity: velocity] : [:] }
    return run
  }

  @Test func aStartThatIsNoPartOfThisBase() throws {
    let finding = try #require(recomputed(first: 0.5).findings("SP501").first)
    #expect(finding.severity == .alert && finding.cause == .loadMismatch && finding.step == 5)
    #expect(
      finding.message
        == "held against a start computed from this base, the run would have moved by 0.500 of the weights' norm up to step 5, 100 times as fast as ever after: the adapter did not begin in this base"
    )
    // A first stretch like any other, and a leap that is not that far.
    #expect(recomputed(first: 0.5, velocity: 0.03).findings("SP501").isEmpty)
    #expect(recomputed(first: 0.19).findings("SP501").isEmpty)
    var known = recomputed(first: 0.5)
    known.reading = []
    #expect(known.findings("SP501").isEmpty)
  }

  @Test func aStartThatNoReloadRepeats() throws {
    var run = RunBuilder(method: "pissa")
    run.setup.start = "pissa_niter_4"
    let finding = try #require(run.findings("SP503").first)
    #expect(finding.severity == .warning && finding.cause == .loadMismatch)
    #expect(
      finding.message
        == "the adapter began by pissa_niter_4, which no reload repeats: from_pretrained on the original base gives another model, whatever training did"
    )
    #expect(finding.remedy?.hasPrefix("Find the adapter of step 0") == true)
    run.setup.hasInitial = true
    #expect(run.findings("SP503").first?.remedy?.hasPrefix("The adapter of step 0 is at hand: convert it") == true)
    run.setup.start = "pissa"
    #expect(run.findings("SP503").isEmpty)
  }

  @Test func aResidualRoundedBeyondTheSignal() throws {
    func run(_ norm: Double) -> RunBuilder {
      var run = RunBuilder(method: "pissa")
      run.addUpdate { _, _ in [.relativeNorm: norm, .residualRounding: 1.7e-3] }
      return run
    }
    let finding = try #require(run(1.6e-3).findings("SP506").first)
    #expect(
      finding.message
        == "in 4 of 4 modules rounding the residual base cost more than training moved: 0.00170 against 0.00160 in layers.0.q_proj"
    )
    #expect(run(1.8e-3).findings("SP506").isEmpty)
  }

  @Test func adaptersDisabledAsReference() throws {
    var run = RunBuilder(method: "pissa")
    run.setup.trainer = .other
    run.setup.subtractsStart = true
    run.log("kl", [3.5, 3.6])
    let finding = try #require(run.findings("SP509").first)
    #expect(
      finding.message
        == "the run has a KL term, and with adapters disabled its model is the residual base, not the base: the log has a KL of 3.50 at step 1"
    )
    // This program's own core has the base itself as reference; LoRA's is the base; and without a KL there is no reference.
    var own = run
    own.setup.trainer = .own
    var lora = run
    lora.setup.subtractsStart = false
    var without = run
    without.records = []
    #expect(own.findings("SP509").isEmpty && lora.findings("SP509").isEmpty && without.findings("SP509").isEmpty)
  }

  @Test func aMiLoRAThatLooksLikeLoRA() throws {
    var run = RunBuilder(method: "milora")
    run.setup.trainer = .other
    run.setup.start = "true"
    let finding = try #require(run.findings("SP510").first)
    #expect(
      finding.message
        == "this is a MiLoRA whose configuration says plain LoRA: from_pretrained on the original base adds the trailing components a second time"
    )
    run.setup.method = "lora"
    #expect(run.findings("SP510").isEmpty)
  }
}
