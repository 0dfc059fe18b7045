import Diagnosis
import Spectra
import Testing

/// SP3xx: geometry against the base.
struct GeometryTests {
  /// Energy in both leading subspaces, in times of chance, at the six checkpoints.
  private func run(_ enrichment: [Double], method: String = "lora", delta: Delta = .initial, floor: Double = 1e-8)
    -> RunBuilder
  {
    var run = RunBuilder(method: method)
    let steps = run.steps
    run.add(delta) { step, _ in
      [
        .relativeNorm: 0.01, .roundingFloor: floor, .leftNullTop: 1.0 / 16, .rightNullTop: 1.0 / 16,
        .bothEnergyTop: enrichment[steps.firstIndex(of: step)!] / 256,
      ]
    }
    return run
  }

  @Test func anUpdateThatKeepsToTheLeadingDirections() throws {
    let finding = try #require(run([1, 6, 7, 6, 6, 6]).findings("SP301").first)
    #expect(finding.step == 20 && finding.severity == .warning && finding.cause == .direction)
    #expect(
      finding.message
        == "the leading directions of W₀ hold 6.00 times the energy that chance gives, at 3 checkpoints in a row")
    // Not three in a row, and within what healthy runs show.
    #expect(run([6, 6, 1, 6, 6, 1]).findings("SP301").isEmpty)
    #expect(run([4.9, 4.9, 4.9, 4.9, 4.9, 4.9]).findings("SP301").isEmpty)
    // A shape that is mostly rounding.
    #expect(run([6, 6, 6, 6, 6, 6], floor: 1.1e-3).findings("SP301").isEmpty)
  }

  @Test func aPiSSABeginsThere() throws {
    let finding = try #require(run([70, 70, 70, 70, 70, 70], method: "pissa").findings("SP301").first)
    #expect(finding.severity == .info)
    #expect(finding.message.hasSuffix("; pissa begins there, which by itself is no sign of harm"))
  }

  @Test func scaledRowsOfTheBaseTripNothing() {
    #expect(run([9, 9, 9, 9, 9, 9], method: "ia3").findings("SP301").isEmpty)
    #expect(run([9, 9, 9, 9, 9, 9], method: "ln-tuning").findings("SP301").isEmpty)
    // Of DoRA the direction counts, not the magnitudes beside it.
    var dora = run([9, 9, 9, 9, 9, 9], method: "dora")
    dora.add(.initialDirection) { _, _ in
      [.relativeNorm: 0.01, .leftNullTop: 1.0 / 16, .rightNullTop: 1.0 / 16, .bothEnergyTop: 1.0 / 256]
    }
    #expect(dora.findings("SP301").isEmpty)
  }

  @Test func frozenRowsAreHeldAgainstWhatTheyCanReach() {
    // The frozen rows lie in the leading directions by themselves.
    var run = RunBuilder(method: "vera")
    run.addUpdate { _, _ in
      [.relativeNorm: 0.01, .leftNullTop: 1.0 / 16, .rightNullTop: 0.9, .bothEnergyTop: 0.9 / 16 * 2]
    }
    #expect(run.findings("SP301").isEmpty)
  }

  private func swinging(bottom: [Double], top: [Double]) -> RunBuilder {
    var run = RunBuilder(method: "milora")
    let steps = run.steps
    run.addUpdate { step, _ in
      let index = steps.firstIndex(of: step)!
      return [.leftEnrichmentBottom: bottom[index], .leftEnrichmentTop: top[index]]
    }
    return run
  }

  @Test func fromTheTrailingToTheLeadingDirections() throws {
    let run = swinging(bottom: [4, 3, 2, 1.5, 1.2, 1], top: [0.5, 0.6, 0.8, 0.9, 1.1, 1.4])
    let finding = try #require(run.findings("SP302").first)
    #expect(finding.step == 25)
    #expect(
      finding.message
        == "from step 5 on the energy in W₀'s trailing directions fell from 4.00 to 1.20 times chance, and in its leading ones it rose from 0.500 to 1.10"
    )
    #expect(
      swinging(bottom: [4, 3, 2, 1.5, 1.3, 1.21], top: [0.5, 0.6, 0.8, 0.9, 1.1, 1.4]).findings("SP302").isEmpty)
    #expect(swinging(bottom: [1.9, 1.5, 1.2, 1, 1, 1], top: [0.5, 0.6, 0.8, 0.9, 1.1, 1.4]).findings("SP302").isEmpty)
    #expect(swinging(bottom: [4, 3, 2, 1.5, 1.2, 1], top: [0.5, 0.6, 0.8, 0.9, 0.9, 0.9]).findings("SP302").isEmpty)
  }

  private func turned(_ angle: Double, bound: Double?, objective: String = "grpo") -> RunBuilder {
    var run = RunBuilder()
    run.setup.objective = objective
    run.addUpdate { step, module in
      var values: [Metric: Double] = [
        .leftRotationMax: 1, .rightRotationMax: module == 2 && step >= 15 ? angle : 2, .gapRatio: 0.19,
      ]
      values[.rotationBound] = bound
      return values
    }
    return run
  }

  @Test func aSubspaceThatHasTurned() throws {
    let finding = try #require(turned(12, bound: 13.6).findings("SP303").first)
    #expect(finding.step == 15 && finding.module == "layers.1.q_proj" && finding.severity == .warning)
    #expect(
      finding.message
        == "the leading subspace of 1 module has turned by more than 10°, most that of layers.1.q_proj by 12.0° (at most 13.6° at a gap ratio of 0.190)"
    )
    #expect(turned(10, bound: 13.6).findings("SP303").isEmpty)
    // Behind a gap that guarantees nothing, an angle means nothing.
    #expect(turned(80, bound: nil).findings("SP303").isEmpty)
    // Supervised learning turns subspaces by design.
    #expect(turned(12, bound: 13.6, objective: "sft").findings("SP303").first?.severity == .info)
  }

  private func intruding(_ energy: Double, modules: Int = 2) -> RunBuilder {
    var run = RunBuilder()
    run.addUpdate { step, module in
      let has = module < modules && step >= 20
      return [.intruderCount: has ? 2 : 0, .intruderEnergy: has ? energy : 0]
    }
    return run
  }

  @Test func intruders() throws {
    let finding = try #require(intruding(0.25).findings("SP304").first)
    #expect(finding.step == 20 && finding.severity == .warning)
    #expect(
      finding.message
        == "2 of 4 modules have intruder dimensions with a tenth of the leading energy or more; layers.0.q_proj has 2 of 10, with 25.0 %"
    )
    #expect(intruding(0.09).findings("SP304").isEmpty)
    #expect(intruding(0.25, modules: 1).findings("SP304").isEmpty)
    var supervised = intruding(0.25)
    supervised.setup.objective = nil
    #expect(supervised.findings("SP304").first?.severity == .info)
  }
}
