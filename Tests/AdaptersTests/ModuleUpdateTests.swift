import Adapters
import LinearAlgebra
import Testing
import Weights

/// Which differences each kind of start allows, and their values.
@Suite struct ModuleUpdateTests {
  private let now: LoRAFactors
  private let first: LoRAFactors

  init() {
    var random = SeededGenerator(seed: 21)
    now = randomFactors(rows: 10, columns: 12, rank: 2, format: .bfloat16, &random)
    first = randomFactors(rows: 10, columns: 12, rank: 2, format: .bfloat16, &random)
  }

  private func dense(_ update: ModuleUpdate?) throws -> Matrix<Double> {
    switch try #require(update).content {
    case .factored(let product): product.dense()
    case .dense(let difference, _): difference
    }
  }

  private func expectEqual(_ update: ModuleUpdate?, _ expected: Matrix<Double>) throws {
    // Four products below 2·4² each.
    #expect(try largestDifference(dense(update), expected) < 16 * 32 * 0x1p-53)
  }

  private func weightChange(_ factors: LoRAFactors) -> Matrix<Double> {
    product(factors.b, factors.a, alpha: factors.scaling)
  }

  @Test func aStartAtThePretrainedWeight() throws {
    for update in [
      try ModuleUpdate.sinceInitialization(now, start: .pretrained),
      try ModuleUpdate.sincePretraining(now, start: .pretrained),
    ] {
      try expectEqual(update, weightChange(now))
      #expect(try update?.roundingNorm == now.roundingNorm())
      #expect(update?.residualRoundingNorm == nil)
    }
  }

  @Test func aStartFromStoredFactors() throws {
    let start = AdapterStart.factors(first, isSubtracted: false, residualRoundingNorm: nil, isRecomputed: false)
    let sinceStart = try ModuleUpdate.sinceInitialization(now, start: start)
    try expectEqual(sinceStart, weightChange(now) - weightChange(first))
    #expect(try sinceStart?.roundingNorm == euclideanNorm([now.roundingNorm(), first.roundingNorm()]))
    let sincePretraining = try ModuleUpdate.sincePretraining(now, start: start)
    try expectEqual(sincePretraining, weightChange(now))
    #expect(try sincePretraining?.roundingNorm == now.roundingNorm())
    #expect(sincePretraining?.residualRoundingNorm == nil)
  }

  @Test(arguments: [false, true]) func aStartTakenOutOfTheBase(isRecomputed: Bool) throws {
    let start = AdapterStart.factors(first, isSubtracted: true, residualRoundingNorm: 0.5, isRecomputed: isRecomputed)
    let sinceStart = try ModuleUpdate.sinceInitialization(now, start: start)
    let sincePretraining = try ModuleUpdate.sincePretraining(now, start: start)
    try expectEqual(sinceStart, weightChange(now) - weightChange(first))
    try expectEqual(sincePretraining, weightChange(now) - weightChange(first))
    let floor = euclideanNorm([try now.roundingNorm(), try first.roundingNorm(), isRecomputed ? 0.5 : 0])
    #expect(sinceStart?.roundingNorm == floor && sincePretraining?.roundingNorm == floor)
    #expect(sinceStart?.residualRoundingNorm == 0.5 && sincePretraining?.residualRoundingNorm == 0.5)
  }

  @Test func anUnknownStart() throws {
    for isSubtracted in [false, true] {
      #expect(try ModuleUpdate.sinceInitialization(now, start: .unknown(isSubtracted: isSubtracted)) == nil)
    }
    #expect(try ModuleUpdate.sincePretraining(now, start: .unknown(isSubtracted: true)) == nil)
    try expectEqual(try .sincePretraining(now, start: .unknown(isSubtracted: false)), weightChange(now))
  }

  @Test(arguments: [false, true]) func nothingHasHappenedAtTheStart(isSubtracted: Bool) throws {
    let start = AdapterStart.factors(first, isSubtracted: isSubtracted, residualRoundingNorm: 0.1, isRecomputed: false)
    let update = try dense(try ModuleUpdate.sinceInitialization(first, start: start))
    #expect(update.elements.allSatisfy { $0 == 0 })
    let sincePretraining = try dense(try ModuleUpdate.sincePretraining(first, start: start))
    #expect(sincePretraining.elements.allSatisfy { $0 == 0 } == isSubtracted)
  }

  @Test func betweenTwoCheckpoints() throws {
    let update = try ModuleUpdate.between(first, now)
    try expectEqual(update, weightChange(now) - weightChange(first))
    #expect(try update.roundingNorm == euclideanNorm([now.roundingNorm(), first.roundingNorm()]))
    #expect(update.residualRoundingNorm == nil)
  }

  @Test func wholeWeights() throws {
    let (before, after) = (weightChange(first), weightChange(now))
    let update = try ModuleUpdate.whole(from: before, to: after, roundings: [3, 4])
    #expect(try dense(update) == after - before)
    #expect(update.roundingNorm == 5)
    guard case .dense(_, let laterNorm) = update.content else {
      Issue.record("expected a dense update")
      return
    }
    #expect(try laterNorm == after.frobeniusNorm())
  }
}
