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

  @Test func aGroupOfEqualRewardsTeachesNothing() {
    #expect(groupAdvantages(of: [1, 1, 1]) == nil)
    #expect(groupAdvantages(of: [0.7]) == nil)
    #expect(groupAdvantages(of: []) == nil)
    #expect(groupAdvantages(of: [0, 1])!.reduce(0, +) == 0)
  }
}
