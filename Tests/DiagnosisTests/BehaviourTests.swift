import Diagnosis
import LinearAlgebra
import Spectra
import Testing

/// SP4xx: behaviour.
struct BehaviourTests {
  /// A run of which nothing but a log is known.
  private func run(_ columns: [String: [Double]]) -> RunBuilder {
    var run = RunBuilder()
    for (column, values) in columns.sorted(by: { $0.key < $1.key }) { run.log(column, values) }
    return run
  }

  /// Values that rise from `start` to `peak` over ten steps, stay, and from step 25 on are `end`; with noise.
  private func curve(_ start: Double, _ peak: Double, _ end: Double, noise amplitude: Double = 0.03) -> [Double] {
    let wobble = noise(40)
    return (1...40).map { step in
      (step < 11 ? start + (peak - start) * Double(step) / 10 : step < 25 ? peak : end) + amplitude * wobble[step - 1]
    }
  }

  @Test func aRewardThatCollapses() throws {
    let finding = try #require(run(["reward": curve(0.4, 0.8, 0.1)]).findings("SP401").first)
    #expect(finding.severity == .alert && (25...30).contains(finding.step!))
    #expect(finding.message.hasPrefix("the reward fell from 0.8"))
    #expect(finding.remedy?.hasPrefix("Stop; go back to the last healthy checkpoint") == true)
    // To more than half, and a dip that does not last.
    #expect(run(["reward": curve(0.4, 0.8, 0.43)]).findings("SP401").isEmpty)
    var dip = curve(0.4, 0.8, 0.8)
    dip.replaceSubrange(20...21, with: [0, 0])
    #expect(run(["reward": dip]).findings("SP401").isEmpty)
  }

  /// What comes later must not make earlier noise significant: four completions a step, and a collapse at step 200.
  @Test func aCollapseDoesNotDateItselfBack() throws {
    var numbers = SeededGenerator(seed: 3)
    let rewards = (1...260).map { step in
      step < 200 ? (0..<4).reduce(0.0) { sum, _ in sum + (numbers.uniform() < 0.4 ? 0.25 : 0) } : 0
    }
    let finding = try #require(run(["reward": rewards]).findings("SP401").first)
    #expect((195...210).contains(finding.step!))
    #expect(Verdict(on: run(["reward": rewards]).evidence).alerts.allSatisfy { $0.step! >= 195 })
  }

  /// Stationary rewards, however sparse, are hardly ever alarmed.
  @Test func stationaryRewardsAreHardlyEverAlarmed() {
    var numbers = SeededGenerator(seed: 5)
    var alarms = 0
    for _ in 0..<300 {
      let rewards = (0..<120).map { _ in (0..<8).reduce(0.0) { sum, _ in sum + (numbers.uniform() < 0.2 ? 0.125 : 0) } }
      if !Verdict(on: run(["reward": rewards]).evidence).alerts.isEmpty { alarms += 1 }
    }
    // One in a hundred at most by each of two rules, SP401 and SP402; three standard deviations more are 13.
    #expect(alarms <= 13, "\(alarms)")
  }

  @Test func aFallWithinTheNoiseIsNone() {
    // Records of so few completions tell nothing of a fall from 0.4 to 0.18.
    #expect(run(["reward": curve(0.4, 0.4, 0.18, noise: 0.45)]).findings("SP401").isEmpty)
  }

  @Test func aRewardThatFalls() throws {
    let finding = try #require(run(["reward": curve(0.4, 0.8, 0.55)]).findings("SP402").first)
    #expect(finding.severity == .alert && (25...28).contains(finding.step!))
    // It was at its height until the step before it fell.
    #expect((20...25).contains(finding.earliest!))
    #expect(finding.message.hasPrefix("the reward's exponential mean has lost 3"))
    // How far it fell, not how far it had fallen when it was noticed.
    #expect(abs(finding.effectSize! - 0.31) < 0.05)
    // Beyond the steps of the runs that the bound is from it says nothing.
    let long = Array(repeating: 0.8, count: 310) + Array(repeating: 0.55, count: 30)
    let wobble = noise(340)
    let late = run(["reward": zip(long, wobble).map { $0 + 0.03 * $1 }])
    #expect(late.findings("SP402").allSatisfy { $0.severity == .warning })
    #expect(finding.pValue! <= 1 / Double(BehaviourBound.rewardFall.healthy.count) * 5)
    #expect(run(["reward": curve(0.4, 0.8, 0.68)]).findings("SP402").isEmpty)
    #expect(run(["reward": curve(0.4, 0.8, 0.8)]).findings("SP402").isEmpty)
  }

  /// Where the bound of the alert is not known to hold, a longer fall is a warning.
  @Test func aRewardThatFallsElsewhere() throws {
    var large = run(["reward": curve(0.4, 0.8, 0.55)])
    large.shape = (1536, 1536)
    large.addUpdate { _, _ in [:] }
    let finding = try #require(large.findings("SP402").first)
    #expect(finding.severity == .warning && (26...30).contains(finding.step!))
    #expect(finding.message.hasPrefix("the reward has been 20.0 % or more below its peak of 0.8"))
  }

  /// The mean of what is constant does not fall; of what falls at once, the share of the peak is known.
  @Test func theSmoothedFallIsAShareOfThePeak() {
    // Of so few records noise may do as much.
    let short = SmoothedFall(Series((1...6).map { Series.Point(step: $0, value: $0 < 5 ? 0.5 : 0) })).shares.values
    #expect(short.allSatisfy { $0 == 0 })
    let long = SmoothedFall(Series((1...60).map { Series.Point(step: $0, value: $0 < 59 ? 0.5 : 0) })).shares.values
    #expect(long[..<58].allSatisfy { $0 == 0 })
    #expect(abs(long[58] - 0.4) < 1e-15 && abs(long[59] - 0.64) < 1e-15)
  }

  @Test func aWarningFromTheWeightsThatTheRewardConfirms() throws {
    var confirmed = run(["reward": curve(0.4, 0.8, 0.6)])
    confirmed.addUpdate { step, _ in [.intruderCount: step >= 20 ? 2 : 0, .intruderEnergy: 0.3] }
    let finding = try #require(confirmed.confirmed.first)
    #expect(finding.severity == .alert)
    let lead = finding.step! - 20
    #expect(
      finding.message
        == "SP304 intruders at step 20, and from step \(finding.step!) on the reward has fallen: the weights led by \(lead) steps"
    )
    // A warning that comes after the fall confirms nothing, nor does the fall alone.
    var late = run(["reward": curve(0.4, 0.8, 0.6)])
    late.steps = [10, 20, 40]
    late.addUpdate { step, _ in [.intruderCount: step >= 40 ? 2 : 0, .intruderEnergy: 0.3] }
    #expect(late.confirmed.isEmpty)
    #expect(run(["reward": curve(0.4, 0.8, 0.6)]).confirmed.isEmpty)
  }

  @Test func aPolicyThatRunsAway() throws {
    let bound = BehaviourBound.klVelocity
    func kl(_ increment: Double) -> [Double] { (1...20).map { $0 < 10 ? 0.01 : increment * bound.value } }
    let finding = try #require(run(["kl_increment": kl(1.25)]).findings("SP404").first)
    #expect(finding.step == 12 && finding.severity == .alert && finding.cause == .stepSize)
    #expect(
      finding.message
        == "the policy's KL grows by \((1.25 * bound.value).brief) nats a token and step, where healthy runs stay below \(bound.value.brief)"
    )
    #expect(
      finding.pValue == Double(bound.healthy.count { $0 >= 1.25 * bound.value } + 1) / Double(bound.healthy.count + 1))
    #expect(run(["kl_increment": kl(0.95)]).findings("SP404").isEmpty)
    // Single estimates have a heavy tail.
    #expect(run(["kl_increment": (1...20).map { $0.isMultiple(of: 3) ? 9 : 0.01 }]).findings("SP404").isEmpty)
    // Elsewhere the bound says nothing.
    var large = run(["kl_increment": kl(1.25)])
    large.shape = (1536, 1536)
    large.addUpdate { _, _ in [:] }
    #expect(large.findings("SP404").isEmpty && large.gaps("SP404").count == 1)
  }

  @Test func aPolicyThatIsFarAway() throws {
    let bound = BehaviourBound.klLevel
    // The median of five steps is beyond the bound where the third of them is.
    func kl(_ largest: Double) -> [Double] { (1...20).map { largest * bound.value * Double($0) / 18 } }
    let finding = try #require(run(["kl": kl(1.001)]).findings("SP405").first)
    #expect(finding.step == 20 && finding.earliest == 16 && finding.severity == .warning)
    #expect(finding.message == "the policy's KL to the reference is \((1.001 * bound.value).brief) nats a token")
    #expect(finding.pValue! < 0.02 && finding.pValue! > 0)
    // Of a large model nothing is known.
    var large = run(["kl": kl(1.001)])
    large.shape = (1536, 1536)
    large.addUpdate { _, _ in [:] }
    #expect(large.findings("SP405").first.map { $0.severity == .info && $0.pValue == nil } == true)
    #expect(run(["kl": kl(0.999)]).findings("SP405").isEmpty)
  }

  @Test func anEntropyThatRises() throws {
    let bound = BehaviourBound.entropyRise.value
    func entropy(_ rise: Double) -> [Double] { (1...20).map { $0 < 10 ? 0.3 : 0.3 + rise * bound } }
    let finding = try #require(run(["entropy": entropy(1.05)]).findings("SP406").first)
    #expect(finding.step == 12 && finding.earliest == 8)
    #expect(
      finding.message == "the policy's entropy has risen from 0.300 to \((0.3 + 1.05 * bound).brief) nats a token")
    #expect(run(["entropy": entropy(0.95)]).findings("SP406").isEmpty)
    // From a high start it falls and does not rise.
    #expect(run(["entropy": (1...20).map { 1 / Double($0) }]).findings("SP406").isEmpty)
  }

  @Test func anEntropyThatIsSpent() throws {
    func run(_ entropy: Double, reward: Double = 0.5) -> RunBuilder {
      self.run([
        "entropy": (1...20).map { $0 < 10 ? 0.4 : entropy }, "reward": Array(repeating: reward, count: 20),
      ])
    }
    let finding = try #require(run(0.1).findings("SP407").first)
    #expect(finding.severity == .info && finding.step == 20)
    #expect(finding.message == "the policy's entropy has fallen from 0.400 to 0.100 nats a token at a reward of 0.500")
    #expect(run(0.19).findings("SP407").isEmpty)
    #expect(run(0.1, reward: 0.95).findings("SP407").isEmpty)
  }

  @Test func aGradientThatSpikes() throws {
    func run(_ spike: Double) -> RunBuilder {
      let wobble = noise(40)
      return self.run(["grad_norm": (0..<40).map { $0 == 30 ? spike : 1 + 0.3 * wobble[$0] }])
    }
    let finding = try #require(run(15).findings("SP408").first)
    #expect(finding.step == 31)
    #expect(finding.message.hasPrefix("the gradient's norm is 15.0, 1"))
    #expect(finding.message.hasSuffix(" times the median of the 20 records before"))
    #expect(run(9).findings("SP408").isEmpty)
  }

  @Test func groupsThatAllFail() throws {
    let finding = try #require(run(["frac_all_fail": (1...20).map { $0 < 12 ? 0.3 : 1 }]).findings("SP409").first)
    #expect(finding.severity == .alert && finding.step == 12)
    #expect(finding.message == "from step 12 on every group fails")
    // A task that is too hard from the start is no collapse.
    let hard = try #require(run(["frac_all_fail": Array(repeating: 1, count: 8)]).findings("SP409").first)
    #expect(
      hard.severity == .warning && hard.message == "from step 1 on every group fails, as it did from the first record")
    #expect(run(["frac_all_fail": (1...20).map { $0 < 8 || $0 > 15 ? 0.3 : 1 }]).findings("SP409").isEmpty)
    // With one group a step, of which most fail, five in a row are chance.
    #expect(run(["frac_all_fail": (1...40).map { $0 > 35 || !$0.isMultiple(of: 3) ? 1 : 0 }]).findings("SP409").isEmpty)
    #expect(run(["frac_all_fail": Array(repeating: 0.99, count: 20)]).findings("SP409").isEmpty)
  }

  @Test func allFailAndAllPassLookAlikeInTRLsColumn() throws {
    let uniform = (1...20).map { $0 < 12 ? 0.4 : 1.0 }
    let failing = run(["frac_reward_zero_std": uniform, "reward": (1...20).map { $0 < 12 ? 0.5 : 0 }])
    let passing = run(["frac_reward_zero_std": uniform, "reward": (1...20).map { $0 < 12 ? 0.5 : 1 }])
    #expect(failing.findings("SP409").first?.step == 12 && failing.findings("SP410").isEmpty)
    let solved = try #require(passing.findings("SP410").first)
    #expect(passing.findings("SP409").isEmpty && solved.severity == .info && solved.step == 12)
    #expect(solved.message == "from step 12 on every group passes")
    // All alike, half of them right: neither.
    let mixed = run(["frac_reward_zero_std": uniform, "reward": Array(repeating: 0.5, count: 20)])
    #expect(mixed.findings("SP409").isEmpty && mixed.findings("SP410").isEmpty)
  }

  @Test func completionsThatGrowUntilTheyAreCut() throws {
    func run(_ cut: Double, length: Double = 400) -> RunBuilder {
      self.run([
        "completions_clipped_ratio": (1...20).map { $0 < 10 ? 0.1 : cut },
        "completions_mean_length": (1...20).map { $0 < 10 ? 200 : length },
      ])
    }
    let finding = try #require(run(0.7).findings("SP411").first)
    #expect(finding.severity == .warning && finding.step == 13 && finding.earliest == 9)
    #expect(
      finding.message == "58.0 % of the completions are cut off, and their mean length has grown from 200 to 360 tokens"
    )
    #expect(run(0.5).findings("SP411").isEmpty)
    #expect(run(0.7, length: 290).findings("SP411").isEmpty)
  }

  @Test func aLossThatRises() throws {
    func run(_ end: Double) -> RunBuilder {
      self.run(["loss": curve(2, 0.5, end)])
    }
    let finding = try #require(run(4).findings("SP412").first)
    #expect(finding.severity == .alert && (25...31).contains(finding.step!))
    #expect(finding.message.hasPrefix("the loss has risen to "))
    #expect(run(1.5).findings("SP412").isEmpty)
    // Of reinforcement learning the loss says nothing.
    var reinforced = run(4)
    reinforced.log("reward", Array(repeating: 0.5, count: 40))
    #expect(reinforced.findings("SP412").isEmpty)
  }

  @Test func weightsThatBreakDownUnseen() throws {
    var run = run(["loss": [1, 0.9, 0.8, 0.7, 0.6, 0.5]])
    run.reading = [
      Finding(
        step: 5, code: "SP104", name: "non-finite-values", severity: .alert, module: "layers.0.q_proj", message: "NaN")
    ]
    let finding = try #require(run.findings("SP413").first)
    #expect(finding.step == 5 && finding.module == "layers.0.q_proj" && finding.severity == .alert)
    #expect(
      finding.message
        == "the weights at step 5 are not finite, and the log shows a loss of 0.600 at step 5 and nothing unusual")
    // A log that shows it hides nothing.
    run.log("grad_norm", [1, 1, 1, .nan, .nan])
    #expect(run.findings("SP413").isEmpty)
    let logged = try #require(run.findings("SP414").first)
    #expect(logged.severity == .warning && logged.step == 4)
    #expect(logged.message == "the log has no finite grad_norm at step 4, the first of 2 such records")
  }

  @Test func finiteNumbersAreNoFinding() {
    #expect(run(["loss": [1, 1e300, -1e300]]).findings("SP414").isEmpty)
  }
}
