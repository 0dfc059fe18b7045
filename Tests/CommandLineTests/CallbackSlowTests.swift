import Foundation
import TestSupport
import Testing
import Weights

/// What `integrate transformers` writes, in real runs of TRL's GRPOTrainer.
@Suite(.tags(.slow), .serialized, .enabled(if: slowTestsEnabled, "Set SPECTROSCOPE_SLOW_TESTS=1."))
struct CallbackSlowTests {
  private let folder = try! TemporaryFolder()

  private func train(_ options: String...) throws -> JSONValue {
    let callback = folder.path("spectroscope_callback.py")
    try #require(try spectroscope("integrate", "transformers", "--out", callback).status == 0)
    let python = ProcessInfo.processInfo.environment["SPECTROSCOPE_PYTHON"] ?? "python3"
    let script = ReferenceCase.folder + "/check_callback.py"
    let base = repositoryRoot + "/Sources/CBase/model"
    let result = try run(
      "/usr/bin/env", [python, script, folder.path, Program.path, base] + options, environment: Program.environment)
    try #require(result.status == 0, "\(result.stderr)")
    return try JSONValue(parsing: Array(result.stdout.split(separator: "\n").last!.utf8))
  }

  private func rewards(_ run: JSONValue) -> [Double] { run["rewards"]!.array!.compactMap(\.double) }

  /// The weights tell before the reward does: the run ends while its reward is what it was, and goes on without the callback to nothing.
  @Test func aCollapsingRunIsStoppedBeforeItsRewardHasFallen() throws {
    let stopped = try train("--rate", "2e-2", "--steps", "12", "--every", "2")
    #expect(stopped["steps"]?.int == 2)
    #expect(rewards(stopped).allSatisfy { $0 > 0.3 })
    #expect(stopped["alerts"]?.array?.first?.string?.hasPrefix("alert SP201 update-velocity: step 2: ") == true)
    #expect(stopped["problems"]?.array?.isEmpty == true)
    #expect(stopped["checkpoints"]?.array?.compactMap(\.string) == ["checkpoint-0", "checkpoint-2"])
    let free = try train("--rate", "2e-2", "--steps", "12", "--every", "2", "--report-only")
    #expect(free["steps"]?.int == 12 && rewards(free).suffix(6).allSatisfy { $0 < 0.1 })
    // Its numbers are in the trainer's own log, beside those that TRL collects.
    #expect(free["logged"]?.array?.count == 6 && rewards(free).count == 12)
  }

  @Test func aHealthyRunIsLeftAlone() throws {
    let run = try train("--rate", "1e-3", "--steps", "30", "--every", "10")
    #expect(run["steps"]?.int == 30 && run["alerts"]?.array?.isEmpty == true && run["problems"]?.array?.isEmpty == true)
    let (looks, all) = (run["look_seconds"]!.double!, run["seconds"]!.double!)
    print("looks took \(looks) of \(all) s: \(100 * looks / all) %")
  }

  @Test func trainingGoesOnWithoutTheProgram() throws {
    let run = try train("--rate", "1e-3", "--steps", "4", "--every", "2", "--broken")
    #expect(run["steps"]?.int == 4)
    let problems = run["problems"]?.array?.compactMap(\.string) ?? []
    #expect(problems.count == 1 && problems[0].hasPrefix("spectroscope: training goes on without this look: "))
  }
}
