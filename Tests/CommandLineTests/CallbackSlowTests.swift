import Foundation
import OrderedCollections
import TestSupport
import Testing
import Weights

/// What `integrate transformers` writes, in real runs of TRL's GRPOTrainer.
@Suite(.tags(.slow), .serialized, .enabled(if: slowTestsEnabled, "Set SPECTROSCOPE_SLOW_TESTS=1."))
struct CallbackSlowTests {
  private let folder = try! TemporaryFolder()
  private static let base = repositoryRoot + "/Sources/CBase/model"

  /// What starts the script once, or in two processes that train together.
  enum Launcher: String, CaseIterable {
    case alone, torchrun, accelerate

    var arguments: [String] {
      switch self {
      case .alone: []
      case .torchrun: ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
      case .accelerate:
        // With --cpu it starts one process alone; that there is no GPU it finds out itself.
        [
          "-m", "accelerate.commands.launch", "--multi_gpu", "--num_machines", "1", "--num_processes", "2",
          "--main_process_port", "0", "--mixed_precision", "no", "--dynamo_backend", "no",
        ]
      }
    }
  }

  /// Trains, and returns what each process says of it. Processes that wait for one another for ever end here.
  private func train(
    _ options: String..., by launcher: Launcher = .alone, program: String = Program.path
  ) throws -> [JSONValue] {
    let callback = folder.path("spectroscope_callback.py")
    try #require(try spectroscope("integrate", "transformers", "--out", callback).status == 0)
    let python = ProcessInfo.processInfo.environment["SPECTROSCOPE_PYTHON"] ?? "python3"
    let script = ReferenceCase.folder + "/check_callback.py"
    let trainer = try Child(
      "/usr/bin/env", [python] + launcher.arguments + [script, folder.path, program, Self.base] + options,
      output: folder.path("trained"))
    let status = try #require(trainer.status(within: 240), "it hangs: \(trainer.output)")
    try #require(status == 0, "\(trainer.output)")
    return try (0..<(launcher == .alone ? 1 : 2)).map { try JSONValue(contentsOf: folder.path("rank-\($0).json")) }
  }

  private func rewards(_ run: JSONValue) -> [Double] { run["rewards"]!.array!.compactMap(\.double) }

  private func texts(_ run: JSONValue, _ name: String) -> [String] { run[name]!.array!.compactMap(\.string) }

  /// The weights tell before the reward does: the run ends while its reward is what it was, and goes on without the callback to nothing.
  @Test func aCollapsingRunIsStoppedBeforeItsRewardHasFallen() throws {
    let stopped = try train("--rate", "2e-2", "--steps", "12", "--every", "2")[0]
    #expect(stopped["steps"]?.int == 2)
    #expect(rewards(stopped).allSatisfy { $0 > 0.3 })
    #expect(texts(stopped, "alerts").first?.hasPrefix("alert SP201 update-velocity: step 2: ") == true)
    #expect(texts(stopped, "problems") == [])
    #expect(texts(stopped, "checkpoints") == ["checkpoint-0", "checkpoint-2"])
    let free = try train("--rate", "2e-2", "--steps", "12", "--every", "2", "--report-only")[0]
    #expect(free["steps"]?.int == 12 && rewards(free).suffix(6).allSatisfy { $0 < 0.1 })
    // Its numbers are in the trainer's own log, beside those that TRL collects.
    #expect(free["logged"]?.array?.count == 6 && rewards(free).count == 12)
  }

  /// A reporter that fails, such as one whose server has gone, takes no alert with it.
  @Test func aReporterThatFailsHidesNoAlert() throws {
    let run = try train("--rate", "2e-2", "--steps", "12", "--every", "2", "--broken-reporter")[0]
    #expect(run["steps"]?.int == 2 && run["alerts"]?.array?.isEmpty == false)
    let problems = run["problems"]?.array?.compactMap(\.string)
    #expect(problems == ["spectroscope: these numbers are not logged: the reporter has gone"])
  }

  @Test func aHealthyRunIsLeftAlone() throws {
    let run = try train("--rate", "1e-3", "--steps", "30", "--every", "10")[0]
    #expect(run["steps"]?.int == 30 && texts(run, "alerts") == [] && texts(run, "problems") == [])
    let (looks, all) = (run["look_seconds"]!.double!, run["seconds"]!.double!)
    print("looks took \(looks) of \(all) s: \(100 * looks / all) %")
  }

  // MARK: Several processes

  /// The first measures, and both end behind the same step: one that stopped alone would leave the other waiting.
  @Test(arguments: [Launcher.torchrun, .accelerate])
  func ofSeveralProcessesOneActsAndAllStop(launcher: Launcher) throws {
    let ranks = try train("--rate", "2e-2", "--steps", "12", "--every", "2", by: launcher)
    print("\(launcher): steps \(ranks.map { $0["steps"]!.int! }), rewards \(rewards(ranks[0]))")
    #expect(ranks.map { $0["processes"]?.int } == [2, 2])
    #expect(ranks.map { $0["steps"]?.int } == [2, 2])
    #expect(texts(ranks[0], "alerts").first?.hasPrefix("alert SP201 update-velocity: step 2: ") == true)
    #expect(rewards(ranks[0]).allSatisfy { $0 > 0.3 })
    #expect(texts(ranks[0], "attempts") == ["write", "look"] && texts(ranks[1], "attempts") == [])
    #expect(ranks[0]["logged"]?.array?.count == 1 && ranks[1]["logged"]?.array == [])
    #expect(ranks.allSatisfy { texts($0, "problems") == [] })
    let scratch = try FileManager.default.contentsOfDirectory(atPath: folder.path("out/spectroscope"))
    #expect(scratch.sorted() == [".spectroscope", "checkpoint-0", "checkpoint-2", "metrics.txt"])
    // What was measured is what both have trained.
    try expectChange(ranks[0], at: 2)
    #expect(ranks[0]["change"] == ranks[1]["change"])
  }

  @Test(arguments: Launcher.allCases)
  func trainingGoesOnWithoutTheProgram(launcher: Launcher) throws {
    let ranks = try train(
      "--rate", "1e-3", "--steps", "4", "--every", "2", by: launcher, program: "no-such-program")
    #expect(ranks.allSatisfy { $0["steps"]?.int == 4 })
    let problems = ranks.map { texts($0, "problems") }
    #expect(
      problems[0].count == 1 && problems[0][0].hasPrefix("spectroscope: training goes on without this look: "))
    #expect(problems.dropFirst().allSatisfy { $0 == [] })
  }

  // MARK: Starts that nothing repeats

  /// The sizes of the updates since the start, as `analyze` finds them in a folder of checkpoints.
  private func sizes(_ source: String, at step: Int) throws -> (init: [String: Double], said: String) {
    let (file, out) = (folder.path("analysis.h5"), folder.path("csv"))
    let analysed = try spectroscope(
      "analyze", source, "--base", Self.base, "--depth", "update", "--out", file)
    try #require(analysed.status == 0, "\(analysed.stderr)")
    try #require(try spectroscope("export", file, "--format", "csv", "--out", out, "--quiet").status == 0)
    let table = try String(contentsOfFile: out + "/modules.csv", encoding: .utf8)
    guard table.contains("\n") else { return ([:], analysed.stdout) }
    let rows = try CSVTable(path: out + "/modules.csv").rows.filter { $0["step"] == "\(step)" && $0["delta"] == "init" }
    let sizes = rows.map { ($0["module"]!, Double($0["frobenius_norm"]!)!) }
    return (Dictionary(uniqueKeysWithValues: sizes), analysed.stdout)
  }

  /// The scratch folder says of every module by how much PEFT's own layers have changed.
  private func expectChange(_ run: JSONValue, at step: Int) throws {
    let found = try sizes(folder.path("out/spectroscope"), at: step).`init`
    let change = try #require(run["change"]?.object?.mapValues { $0.double! })
    #expect(Set(found.keys) == Set(change.keys) && change.count == 14)
    for (module, size) in change {
      let other = try #require(found[module])
      #expect(abs(other - size) <= 1e-4 * size && size > 0, "\(module): \(other), and PEFT's layers say \(size)")
    }
  }

  /// PEFT draws the start of pissa_niter_N at random and keeps it nowhere. The callback does.
  @Test func aStartThatNothingRepeatsIsKept() throws {
    let run = try train("--rate", "2e-4", "--steps", "4", "--every", "2", "--method", "pissa_niter_4")[0]
    #expect(run["steps"]?.int == 4 && texts(run, "problems") == [] && texts(run, "alerts") == [])
    try expectChange(run, at: 4)
    // Without it nobody can say.
    let scratch = folder.path("out/spectroscope")
    try FileManager.default.moveItem(atPath: scratch + "/checkpoint-0", toPath: folder.path("start"))
    let without = try sizes(scratch, at: 4)
    #expect(without.`init` == [:])
    #expect(
      without.said.contains("SP502 start-is-unknown")
        && without.said.contains("rows `init` and `pretrained` are missing"))
  }
}
