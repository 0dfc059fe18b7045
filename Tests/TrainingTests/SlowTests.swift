import Adapters
import Foundation
import OrderedCollections
import TestSupport
import Testing
import Training
import Weights

/// The laboratory's results, away from the thresholds at which a run may go either way.
@Suite(.enabled(if: slowTestsEnabled), .serialized) struct SlowLaboratoryTests {
  private static let base: PretrainedModel = {
    let folder = try! TemporaryFolder()
    try! EmbeddedBase.write(to: folder.path)
    return try! PretrainedModel(path: folder.path)
  }()

  private final class Recorder: TrainingObserver {
    var rewards: [Double] = []
    func didFinish(_ record: TrainingRecord) throws(FileError) { record["reward"].map { rewards.append($0) } }
  }

  /// The mean reward of the last ten of 60 steps, for three seeds.
  private func endings(
    _ method: AdapterMethod, _ learningRate: Double, _ change: (inout TrainingConfiguration) -> Void = { _ in }
  ) throws -> [Double] {
    try (0..<3).map { seed in
      var configuration = TrainingConfiguration()
      (configuration.method, configuration.learningRate, configuration.seed) = (method, learningRate, seed)
      configuration.checkpointEvery = configuration.steps
      change(&configuration)
      let recorder = Recorder()
      _ = try Trainer(configuration, base: Self.base, threads: 2, observer: recorder).run()
      return recorder.rewards.suffix(10).reduce(0, +) / 10
    }
  }

  @Test func pissaCollapsesWhereOthersThrive() throws {
    #expect(try endings(.pissa, 5e-3).allSatisfy { $0 < 0.05 })
    for method in [AdapterMethod.lora, .dora, .milora] {
      let endings = try endings(method, 5e-3)
      #expect(endings.allSatisfy { $0 > 0.80 }, "\(method) \(endings)")
    }
  }

  @Test func pissaLearnsFasterAtALowRate() throws {
    let (pissa, lora) = (try endings(.pissa, 3e-4), try endings(.lora, 3e-4))
    for (a, b) in zip(pissa, lora) { #expect(a > b + 0.1, "\(pissa) \(lora)") }
  }

  /// With each method at its own rate the methods are nearly alike: what differs is the rate.
  @Test func atTheirOwnRatesMethodsAreNearlyAlike() throws {
    let rates: [(AdapterMethod, Double)] = [
      (.lora, 3e-3), (.dora, 3e-3), (.milora, 3e-3), (.rslora, 1e-3), (.pissa, 3e-4), (.full, 3e-4),
    ]
    let means = try rates.map { method, rate in try endings(method, rate).reduce(0, +) / 3 }
    #expect(means.max()! - means.min()! < 0.1, "\(means)")
    #expect(means.min()! > 0.8)
  }

  /// Size and direction both matter: at PiSSA's magnitudes other directions bear more, and at other magnitudes PiSSA's directions do.
  @Test func bothSizeAndDirectionMatter() throws {
    func mean(_ directions: SVDDirections, _ magnitudes: SVDMagnitudes) throws -> Double {
      try endings(.svd, 3e-3) {
        ($0.adapter.directions, $0.adapter.magnitudes) = (directions, magnitudes)
      }.reduce(0, +) / 3
    }
    let pissa = try mean(.top, .top)
    #expect(try mean(.bottom, .top) > pissa + 0.2)
    #expect(try mean(.top, .bottom) > pissa + 0.2)
  }

  /// Beyond their own critical rates the others collapse in the same way.
  @Test(arguments: [
    (AdapterMethod.lora, 3e-2), (.rslora, 1e-2), (.loraPlus, 5e-3), (.loraFA, 3e-2), (.dora, 3e-2), (.milora, 3e-2),
    (.miss, 1e-2), (.adalora, 0.3), (.rank1, 0.1),
  ])
  func everyMethodHasARateAtWhichItCollapses(method: AdapterMethod, rate: Double) throws {
    #expect(try endings(method, rate).allSatisfy { $0 < 0.05 })
  }

  @Test func fullFineTuningCollapsesToo() throws {
    #expect(try endings(.full, 3e-3).allSatisfy { $0 < 0.05 })
  }

  /// What the observer's velocity costs, beside a step without it: at most 5 % of a step or 1 ms. Medians over steps of one run each, in
  /// turn; the bound is doubled, because the machine may be busy.
  @Test func velocityCostsLittle() throws {
    func median(_ measures: Bool) throws -> Double {
      var configuration = TrainingConfiguration()
      configuration.checkpointEvery = configuration.steps
      configuration.telemetry.measuresKL = false
      configuration.telemetry.measuresVelocity = measures
      let recorder = Seconds()
      _ = try Trainer(configuration, base: Self.base, threads: 1, observer: recorder).run()
      let sorted = recorder.seconds.sorted()
      return sorted[sorted.count / 2]
    }
    let pairs = try (0..<5).map { _ in (try median(false), try median(true)) }
    let (without, with) = (pairs.map(\.0).min()!, pairs.map(\.1).min()!)
    print(String(format: "velocity: %.3f ms a step of %.2f ms", 1000 * (with - without), 1000 * without))
    #expect(with - without < 2 * max(0.05 * without, 1e-3))
  }

  private final class Seconds: TrainingObserver {
    var seconds: [Double] = []
    func didFinish(_ record: TrainingRecord) throws(FileError) { record["seconds"].map { seconds.append($0) } }
  }
}
