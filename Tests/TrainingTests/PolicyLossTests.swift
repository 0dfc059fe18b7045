import Testing
import Training
import Weights

/// Advantages, losses, slopes and clip fractions against TRL's own code on hand-made batches.
@Suite struct PolicyLossTests {
  static let cases = try! JSONValue(contentsOf: Oracle.folder + "/rl.json").array!

  private func numbers(_ value: JSONValue?) -> [Double] { value?.array?.compactMap(\.double) ?? [] }
  private func rows(_ value: JSONValue?) -> [[Double]] { value?.array?.map { numbers($0) } ?? [] }

  @Test func thereAreCases() { #expect(Self.cases.count >= 12) }

  @Test(arguments: cases)
  func asTRLComputesIt(entry: JSONValue) throws {
    let size = try #require(entry["group_size"]?.int)
    let rewards = numbers(entry["rewards"])
    let groups = stride(from: 0, to: rewards.count, by: size).map { Array(rewards[$0..<$0 + size]) }
    let advantages = groups.flatMap { groupAdvantages(of: $0) ?? $0.map { _ in 0 } }
    let expected = try #require(entry["expected"])
    for (ours, theirs) in zip(advantages, numbers(expected["advantages"]?["group"])) {
      #expect(abs(ours - theirs) < 1e-12)
    }
    let options = PolicyLossOptions(
      clipLow: try #require(entry["epsilon_low"]?.double), clipHigh: try #require(entry["epsilon_high"]?.double),
      klCoefficient: try #require(entry["beta"]?.double))
    let (mask, now, old) = (rows(entry["mask"]), rows(entry["new_logps"]), rows(entry["old_logps"]))
    let references = rows(entry["reference_logps"])
    var losses: [TokenLoss] = []
    for (index, row) in mask.enumerated() {
      for (token, isActive) in row.enumerated() where isActive != 0 {
        losses.append(
          TokenLoss(
            now: now[index][token], old: old[index][token],
            reference: references.isEmpty ? nil : references[index][token], advantage: advantages[index], options))
      }
    }
    // TRL divides by one where no token is active.
    let count = Double(max(1, losses.count))
    let dapo = try #require(expected["losses"]?["dapo"])
    #expect(abs(losses.reduce(0) { $0 + $1.loss } / count - (try #require(dapo["loss"]?.double))) < 1e-12)
    let slopes = zip(mask, rows(dapo["gradient"])).flatMap { row, slopes in
      zip(row, slopes).filter { $0.0 != 0 }.map(\.1)
    }
    try #require(slopes.count == losses.count)
    for (ours, theirs) in zip(losses, slopes) { #expect(abs(ours.slope / count - theirs) < 1e-12) }
    func share(_ isSo: (TokenLoss) -> Bool) -> Double { Double(losses.count(where: isSo)) / count }
    #expect(abs(share(\.isClippedLow) - (try #require(expected["clip_ratio_low_mean"]?.double))) < 1e-12)
    #expect(abs(share(\.isClippedHigh) - (try #require(expected["clip_ratio_high_mean"]?.double))) < 1e-12)
    if let kl = expected["kl"]?.double {
      #expect(abs(losses.reduce(0) { $0 + $1.k3! } / count - kl) < 1e-12)
    }
  }

  /// A loss of TRL's, by its name in the reference, and the options that make ours the same.
  struct Objective: Sendable, CustomTestStringConvertible {
    let name: String
    let aggregation: PolicyLossOptions.Aggregation
    var scale = PolicyLossOptions.RewardScale.group
    var testDescription: String { name }

    static let all = [
      Objective(name: "dapo", aggregation: .token), Objective(name: "grpo", aggregation: .sequence),
      Objective(name: "dr_grpo", aggregation: .constant),
      Objective(name: "dr_grpo_unscaled", aggregation: .constant, scale: .none),
    ]
  }

  /// Loss and gradient by token with the weights that training uses. A completion that is masked whole is one that was cut.
  @Test(arguments: cases, Objective.all)
  func everyObjectiveAsTRLComputesIt(entry: JSONValue, objective: Objective) throws {
    let size = try #require(entry["group_size"]?.int)
    let options = PolicyLossOptions(
      aggregation: objective.aggregation, rewardScale: objective.scale,
      clipLow: try #require(entry["epsilon_low"]?.double), clipHigh: try #require(entry["epsilon_high"]?.double),
      klCoefficient: try #require(entry["beta"]?.double))
    let (mask, rewards) = (rows(entry["mask"]), numbers(entry["rewards"]))
    let outcomes = zip(mask, rewards).map { mask, reward in
      let active = mask.count { $0 != 0 }
      return CompletionWeights.Outcome(
        reward: reward, length: active == 0 ? mask.count : active, hasEnded: active > 0)
    }
    let groups = stride(from: 0, to: outcomes.count, by: size).map { Array(outcomes[$0..<$0 + size]) }
    let weights = CompletionWeights(
      groups, options, overlong: OverlongOptions(handling: .filter),
      maximumLength: try #require(entry["max_completion_length"]?.int)
    ).weights.flatMap { $0 }
    let (now, old, references) = (
      rows(entry["new_logps"]), rows(entry["old_logps"]), rows(entry["reference_logps"])
    )
    let whole = try #require(entry["expected"]?["losses"]?[objective.name])
    // TRL divides a micro-batch by what is in it, but for the sum of all: halves come to the same as the whole.
    for expected in [whole, whole["two_micro_batches"]].compactMap(\.self) {
      var loss = 0.0
      let slopes = rows(expected["gradient"])
      for (index, row) in mask.enumerated() {
        for (token, isActive) in row.enumerated() {
          guard isActive != 0, let weight = weights[index] else {
            #expect(slopes[index][token] == 0)
            continue
          }
          let ours = TokenLoss(
            now: now[index][token], old: old[index][token],
            reference: references.isEmpty ? nil : references[index][token], advantage: weight.advantage, options)
          loss += ours.loss / weight.divisor
          #expect(abs(ours.slope / weight.divisor - slopes[index][token]) < 1e-12)
        }
      }
      #expect(abs(loss - (try #require(expected["loss"]?.double))) < 1e-12)
    }
  }

  @Test(arguments: cases)
  func advantagesOfEveryScale(entry: JSONValue) throws {
    let (size, rewards) = (try #require(entry["group_size"]?.int), numbers(entry["rewards"]))
    let groups = stride(from: 0, to: rewards.count, by: size).map { Array(rewards[$0..<$0 + size]) }
    for scale in PolicyLossOptions.RewardScale.allCases {
      let ours = zip(groups, advantages(of: groups, scaledBy: scale)).flatMap { $1 ?? $0.map { _ in 0 } }
      let theirs = numbers(entry["expected"]?["advantages"]?[scale.rawValue])
      try #require(ours.count == theirs.count)
      for (ours, theirs) in zip(ours, theirs) { #expect(abs(ours - theirs) < 1e-12, "\(scale)") }
    }
  }

  /// The slope against central differences, away from the kinks of the clipping.
  @Test(arguments: [-1.3, 0, 0.7], [0.0, 0.5])
  func theSlopeIsTheDerivative(advantage: Double, klCoefficient: Double) {
    let options = PolicyLossOptions(clipLow: 0.1, clipHigh: 0.3, klCoefficient: klCoefficient)
    for ratio in [-0.5, -0.2, -0.05, 0, 0.1, 0.2, 0.4] {
      func token(_ now: Double) -> TokenLoss {
        TokenLoss(now: now, old: -1, reference: -1.4, advantage: advantage, options)
      }
      let (now, step) = (-1 + ratio, 1e-6)
      let difference = (token(now + step).loss - token(now - step).loss) / (2 * step)
      #expect(abs(difference - token(now).slope) < 1e-8, "\(ratio)")
    }
  }

  /// Two groups: one in which a completion was cut, and one of equal rewards.
  private static let outcomes: [[CompletionWeights.Outcome]] = [
    [(1.0, 7, true), (0, 8, false), (0, 3, true)].map(CompletionWeights.Outcome.init),
    [(1.0, 2, true), (1, 4, true), (1, 8, true)].map(CompletionWeights.Outcome.init),
  ]

  @Test func theFilterKeepsTheRewardOfWhatWasCut() throws {
    func weights(_ handling: OverlongOptions.Handling, _ options: PolicyLossOptions = .init()) -> CompletionWeights {
      CompletionWeights(Self.outcomes, options, overlong: OverlongOptions(handling: handling), maximumLength: 8)
    }
    let (all, filtered) = (weights(.none), weights(.filter))
    #expect(all.tokenCount == 32 && filtered.tokenCount == 24)
    #expect(filtered.weights[0][1] == nil && filtered.weights[0][0]?.divisor == 24)
    // The cut one is still in the group's mean and deviation.
    #expect(
      filtered.weights[0].map { $0?.advantage } == [all.weights[0][0]?.advantage, nil, all.weights[0][2]?.advantage])
    // Equal rewards teach nothing, with whatever handling and scale.
    for handling in OverlongOptions.Handling.allCases where handling != .soft {
      for scale in PolicyLossOptions.RewardScale.allCases {
        #expect(weights(handling, PolicyLossOptions(rewardScale: scale)).weights[1] == [nil, nil, nil])
      }
    }
    // A penalty pulls on what teaches nothing, but not on what was filtered out.
    let pulled = weights(.filter, PolicyLossOptions(klCoefficient: 0.1)).weights
    #expect(pulled[0][1] == nil && pulled[1].allSatisfy { $0?.advantage == 0 })
  }

  /// R_len of DAPO with its own numbers, and scaled to short responses.
  @Test func theSoftPenalty() {
    let published = OverlongOptions(handling: .soft, cache: 4096)
    for (length, penalty) in [(0, 0.0), (16384, 0), (18432, -0.5), (20479, -4095.0 / 4096), (20480, -1), (30000, -1)] {
      #expect(published.penalty(length: length, maximum: 20480) == penalty, "\(length)")
    }
    let short = OverlongOptions(handling: .soft)
    #expect((0...9).map { short.penalty(length: $0, maximum: 8) } == [0, 0, 0, 0, 0, 0, 0, -0.5, -1, -1])
    #expect((0...3).map { short.penalty(length: $0, maximum: 3) } == [0, 0, 0, -1])
    #expect(OverlongOptions(cache: 100).penalty(length: 2, maximum: 4) == -0.5)
  }

  @Test func theSoftPenaltyShapesAdvantages() throws {
    let options = PolicyLossOptions(rewardScale: .none)
    let weights = CompletionWeights(
      Self.outcomes, options, overlong: OverlongOptions(handling: .soft, cache: 2), maximumLength: 8
    ).weights
    // Rewards with their penalties: 0.5, −1, 0 and 1, 1, 0.
    let mean = -0.5 / 3
    for (ours, shaped) in zip(weights[0], [0.5, -1, 0]) { #expect(abs(ours!.advantage - (shaped - mean)) < 1e-15) }
    for (ours, shaped) in zip(weights[1], [1.0, 1, 0]) { #expect(abs(ours!.advantage - (shaped - 2.0 / 3)) < 1e-15) }
  }

  @Test func aGroupOfEqualRewardsTeachesNothing() {
    #expect(groupAdvantages(of: [1, 1, 1]) == nil)
    #expect(groupAdvantages(of: [0.7]) == nil)
    #expect(groupAdvantages(of: []) == nil)
    #expect(groupAdvantages(of: [0, 1])!.reduce(0, +) == 0)
  }
}
