import Foundation
import OrderedCollections
import RunStore
import TestSupport
import Testing
import Weights

/// `lab` as a user meets it: what it writes, what it keeps, what it refuses, and how it stops.
@Suite struct LabTests {
  private let folder = try! TemporaryFolder()
  private static let methods =
    "lora, rslora, lora-plus, lora-fa, dora, adalora, pissa, milora, miss, vera, ia3, ln-tuning, rank1, full, svd"
  private static let short = ["--steps", "3", "--prompts", "4", "--checkpoint-every", "2"]
  private static let grid = short + ["--methods", "lora,pissa", "--learning-rates", "1e-3,0.02", "--seeds", "0,1"]

  private func lab(_ arguments: [String], out: String) throws -> ProcessResult {
    try run(Program.path, ["lab", "--out", out] + arguments, environment: Program.environment)
  }

  /// The rows of a summary without what depends on the clock.
  private func summary(_ out: String) throws -> [[String: String]] {
    try CSVTable(path: out + "/summary.csv").rows.map { row in
      var row = row
      row["seconds"] = nil
      return row
    }
  }

  private func created(_ path: String) throws -> Date? {
    try FileManager.default.attributesOfItem(atPath: path + "/training.jsonl")[.modificationDate] as? Date
  }

  @Test func theSameSummaryForAnyNumberOfJobs() throws {
    let outs = try ["1", "2"].map { jobs in
      let out = folder.path("lab-" + jobs)
      let result = try lab(Self.grid + ["--jobs", jobs], out: out)
      try #require(result.status == 0, "\(result.stderr)")
      #expect(result.stderr == "wrote \(out)/summary.csv, \(out)/critical.csv and 8 runs\n")
      let lines = result.stdout.split(separator: "\n").map(String.init)
      #expect(lines[0].contains("0.001") && lines[0].contains("0.02") && lines[0].hasSuffix("critical rate"))
      #expect(lines[1].hasPrefix("lora ") && lines[2].hasPrefix("pissa "))
      return out
    }
    let rows = try summary(outs[0])
    #expect(try summary(outs[1]) == rows)
    let header = try String(contentsOfFile: outs[0] + "/summary.csv", encoding: .utf8).split(separator: "\n")[0]
    #expect(
      header == "method,learning_rate,seed,rank,base,steps,start_accuracy,final_accuracy,retention,label,seconds")
    #expect(rows.map { "\($0["method"]!)-lr\($0["learning_rate"]!)-seed\($0["seed"]!)" } == Self.names)
    #expect(rows.allSatisfy { $0["rank"] == "4" && $0["base"] == "embedded" && $0["steps"] == "3" })
    #expect(rows.allSatisfy { ["clean", "damaged", "collapsed", "unlearned"].contains($0["label"]) })
    let critical = try CSVTable(path: outs[0] + "/critical.csv")
    #expect(critical.rows.map { $0["method"] } == ["lora", "pissa"])
    #expect(
      try String(contentsOfFile: outs[0] + "/critical.csv", encoding: .utf8)
        == String(contentsOfFile: outs[1] + "/critical.csv", encoding: .utf8))
    // A run of a grid is a run like any other.
    let run = outs[0] + "/" + Self.names[0]
    let alone = folder.path("alone")
    let trained = try train(alone, ["--learning-rate", "1e-3"] + Self.short)
    try #require(trained.status == 0, "\(trained.stderr)")
    #expect(try RunFolder(path: run).snapshot(at: 3) == RunFolder(path: alone).snapshot(at: 3))
    #expect(try spectroscope("inspect", run).status == 0)
  }

  private static let names = ["lora", "pissa"].flatMap { method in
    ["0.001", "0.02"].flatMap { rate in ["0", "1"].map { "\(method)-lr\(rate)-seed\($0)" } }
  }

  private func train(_ out: String, _ arguments: [String]) throws -> ProcessResult {
    try run(Program.path, ["train", "--out", out, "--quiet"] + arguments, environment: Program.environment)
  }

  @Test func onlyWhatIsMissingIsMade() throws {
    let out = folder.path("lab")
    let grid = Self.short + ["--methods", "lora", "--learning-rates", "1e-3,3e-3", "--seeds", "0,1", "--quiet"]
    try #require(try lab(grid, out: out).status == 0)
    let names = ["lora-lr0.001-seed0", "lora-lr0.001-seed1", "lora-lr0.003-seed0", "lora-lr0.003-seed1"]
    let whole = try summary(out)
    let times = try names.map { try created(out + "/" + $0) }
    // One is gone, one has no end, one has a damaged last checkpoint.
    try FileManager.default.removeItem(atPath: out + "/" + names[1])
    let log = out + "/" + names[2] + "/training.jsonl"
    let lines = try String(contentsOfFile: log, encoding: .utf8).split(separator: "\n")
    try Data((lines.dropLast().joined(separator: "\n") + "\n").utf8).write(to: URL(fileURLWithPath: log))
    let checkpoint = out + "/" + names[3] + "/checkpoints/00000003.h5"
    try Data(contentsOf: URL(fileURLWithPath: checkpoint)).prefix(2000).write(to: URL(fileURLWithPath: checkpoint))
    let again = try lab(grid, out: out)
    #expect(again.status == 0, "\(again.stderr)")
    #expect(try summary(out) == whole)
    let changed = try zip(names, times).map { try created(out + "/" + $0) != $1 }
    #expect(changed == [false, true, true, true])
    // A larger grid takes over what is there.
    try #require(try lab(grid.map { $0 == "1e-3,3e-3" ? "1e-3,3e-3,1e-2" : $0 }, out: out).status == 0)
    #expect(try summary(out).prefix(4) == whole[...])
    #expect(try zip(names, times).prefix(1).allSatisfy { try created(out + "/" + $0) == $1 })
    #expect(try summary(out).count == 6)
  }

  @Test func anotherRunIsRefusedBeforeAnythingIsDone() throws {
    let out = folder.path("lab")
    try #require(try lab(Self.short + ["--methods", "lora", "--quiet"], out: out).status == 0)
    let before = try created(out + "/lora-lr0.001-seed0")
    let other = try lab(Self.short + ["--methods", "pissa,lora", "--weight-decay", "0.5"], out: out)
    #expect(other.status == 73)
    #expect(
      other.stderr
        == "Error: \(out)/lora-lr0.001-seed0: expected a run with weight_decay 0.5, found one with 0.0. Name another folder for "
        + "this grid, or delete the run if it is not needed\n")
    #expect(try created(out + "/lora-lr0.001-seed0") == before)
    #expect(!FileManager.default.fileExists(atPath: out + "/pissa-lr0.001-seed0"))
  }

  /// The collapsed one ends 20 steps after its last reward, and that is known as its end.
  @Test func aRunWithoutRewardEndsEarly() throws {
    let out = folder.path("lab")
    let arguments = ["--methods", "full", "--learning-rates", "0.1", "--prompts", "4", "--no-telemetry", "--quiet"]
    for _ in 0..<2 { try #require(try lab(arguments, out: out).status == 0) }
    let row = try #require(try summary(out).first)
    #expect(row["label"] == "collapsed" && row["rank"] == "")
    #expect(Int(row["steps"]!)! >= 20 && Int(row["steps"]!)! < 60)
    let records = try TrainingRecords(path: out + "/full-lr0.1-seed0/training.jsonl").records
    #expect(records.suffix(20).allSatisfy { $0.values["reward"] == 0 })
    #expect(records.last?.values["accuracy"] != nil && records.last?.values["kl"] == nil)
    // Who wants all of it gets it.
    let all = folder.path("all")
    try #require(try lab(arguments + ["--steps", "30", "--zero-reward-patience", "0"], out: all).status == 0)
    #expect(try summary(all).first?["steps"] == "30")
  }

  @Test func severalBasesAndRanksHaveNamesOfTheirOwn() throws {
    let base = folder.path("small")
    let made = try spectroscope(
      "pretrain", "--out", base, "--steps", "5", "--batch-size", "8", "--hidden-size", "16", "--heads", "2",
      "--key-value-heads", "1", "--intermediate-size", "24", "--layers", "1", "--quiet")
    try #require(made.status == 0, "\(made.stderr)")
    let out = folder.path("lab")
    let result = try lab(
      Self.short + ["--base", "embedded", "--base", base, "--ranks", "1,2", "--quiet"], out: out)
    try #require(result.status == 0, "\(result.stderr)")
    let rows = try summary(out)
    #expect(rows.map { $0["base"] } == ["embedded", "embedded", base, base])
    #expect(rows.map { $0["rank"] } == ["1", "2", "1", "2"])
    for name in ["embedded/lora-rank1-lr0.001-seed0", "small/lora-rank2-lr0.001-seed0"] {
      #expect(RunFolder.isRun(at: out + "/" + name))
    }
    #expect(result.stdout.contains("lora rank 2 on \(base)"))
  }

  @Test func ranksAreForMethodsThatHaveAChoice() throws {
    let out = folder.path("lab")
    let grid = ["--methods", "lora,rank1,ia3", "--ranks", "1,2", "--quiet"]
    try #require(try lab(Self.short + grid, out: out).status == 0)
    let names = try FileManager.default.contentsOfDirectory(atPath: out).filter { $0.contains("seed") }.sorted()
    #expect(
      names == ["ia3-lr0.001-seed0", "lora-rank1-lr0.001-seed0", "lora-rank2-lr0.001-seed0", "rank1-lr0.001-seed0"])
  }

  /// What one run of the grid cannot do is said before any other has begun.
  @Test func whatDoesNotFitIsSaidFirst() throws {
    let out = folder.path("lab")
    let result = try lab(Self.short + ["--methods", "lora,ia3", "--dropout", "0.1"], out: out)
    #expect(result.status == 64 && result.stderr == "Error: ia3 has no input to drop out: expected a dropout of 0\n")
    #expect(!FileManager.default.fileExists(atPath: out + "/lora-lr0.001-seed0"))
  }

  @Test func controlsAreMethodsOfTheirOwn() throws {
    let out = folder.path("lab")
    let grid = [
      "--methods", "pissa,svd", "--svd-directions", "top,random", "--svd-magnitudes", "top,unit", "--learning-rates",
      "5e-3",
      "--quiet",
    ]
    try #require(try lab(Self.short + grid, out: out).status == 0)
    let rows = try summary(out)
    #expect(
      rows.map { $0["method"] } == ["pissa", "svd-top-top", "svd-top-unit", "svd-random-top", "svd-random-unit"])
    #expect(try CSVTable(path: out + "/critical.csv").rows.count == 5)
    // Both ends of the control are the methods that they are named for.
    let runs = try ["pissa-lr0.005-seed0", "svd-top-top-lr0.005-seed0"].map {
      try RunFolder(path: out + "/" + $0).snapshot(at: 3)
    }
    #expect(runs[0] == runs[1])
  }

  @Test func optionsFromAFile() throws {
    let out = folder.path("lab")
    let config = try folder.write(
      "lab.json",
      #"{"methods": ["lora"], "learning_rates": [0.001, 0.01], "seeds": 3, "steps": 2, "prompts": 4, "dynamic-sampling": true, "quiet": true}"#
    )
    let result = try lab(["--config", config, "--steps", "3"], out: out)
    #expect(result.status == 0, "\(result.stderr)")
    #expect(result.stderr == "")
    // The command line wins.
    #expect(try summary(out).map { $0["steps"] } == ["3", "3"])
    #expect(try summary(out).map { $0["seed"] } == ["3", "3"])
    let configuration = try RunFolder(path: out + "/lora-lr0.01-seed3").identity.configuration
    #expect(configuration["dynamic_sampling"] == .bool(true))
    let wrong = try folder.write("wrong.json", #"{"method": "none"}"#)
    let refused = try lab(["--config", wrong], out: out)
    #expect(refused.status == 65)
    #expect(refused.stderr.hasPrefix("Error: \(wrong): The value 'none' is invalid for '--method"), "\(refused.stderr)")
    #expect(try lab(["--config", folder.path("none.json")], out: out).status == 66)
    for text in ["[1]", #"{"steps": [[1]]}"#, #"{"steps": {"a": 1}}"#, #"{"methods": []}"#, #"{"config": "a"}"#] {
      let refused = try lab(["--config", folder.write("bad.json", text)], out: out)
      #expect(refused.status == 65, "\(text) \(refused.stderr)")
    }
  }

  @Test(arguments: [
    (
      ["--methods", "lora,lokr"],
      "The value 'lora,lokr' is invalid for '--methods <names>': expected a method among "
        + "\(methods), found 'lokr'"
    ),
    (
      ["--methods", ""],
      "The value '' is invalid for '--methods <names>': expected a method among "
        + "\(methods), with commas between several, found an empty text"
    ),
    (
      ["--learning-rates", "1e-3,0"],
      "The value '1e-3,0' is invalid for '--learning-rates <rates>': expected a positive number, found '0'"
    ),
    (
      ["--learning-rates", "1e-3,0.001"],
      "The value '1e-3,0.001' is invalid for '--learning-rates <rates>': expected each value once, found '0.001' twice"
    ),
    (["--seeds", "1,,2"], "The value '1,,2' is invalid for '--seeds <numbers>': expected a whole number, found ''"),
    (["--jobs", "0"], "--jobs must be at least 1, found 0"),
    (["--methods", "lora", "--method", "dora"], "expected one of --methods and --method, found both"),
    (
      ["--methods", "lora", "--svd-directions", "top"],
      "--svd-directions and --svd-magnitudes go with svd among the methods alone"
    ),
    (["--methods", "lora,dora", "--pissa-niter", "3"], "--pissa-niter goes with --method pissa alone"),
    (
      ["--base", "a/x", "--base", "b/x"],
      "the folders of several --base must have different names, found x twice"
    ),
    (["--zero-reward-patience=-1"], "--zero-reward-patience must be at least 0, found -1"),
  ])
  func wrongValues(arguments: [String], message: String) throws {
    let result = try lab(arguments, out: folder.path("lab"))
    #expect(result.status == 64)
    #expect(result.stderr.split(separator: "\n").first == "Error: \(message)", "\(result.stderr)")
    #expect(!FileManager.default.fileExists(atPath: folder.path("lab")))
  }

  @Test func aGridNeedsAFolder() throws {
    let result = try spectroscope("lab", "--methods", "lora")
    #expect(result.status == 64)
    #expect(result.stderr.hasPrefix("Error: Missing expected argument '--out <dir>'"))
  }

  @Test func anInterruptKeepsWhatIsDone() throws {
    let out = folder.path("lab")
    let arguments = ["--steps", "40", "--prompts", "4", "--seeds", "0,1,2,3,4,5,6,7", "--jobs", "2"]
    let process = Process()
    process.executableURL = URL(fileURLWithPath: Program.path)
    process.arguments = ["lab", "--out", out] + arguments
    process.environment = Program.environment
    let errors = try folder.write("stderr", "")
    process.standardError = FileHandle(forWritingAtPath: errors)
    process.standardOutput = FileHandle.nullDevice
    try runAcceptingSignals(process)
    let deadline = Date() + 60
    while process.isRunning, Date() < deadline, try finished(out) == 0 { usleep(2000) }
    kill(process.processIdentifier, SIGINT)
    process.waitUntilExit()
    #expect(process.terminationStatus == 130)
    let done = try summary(out)
    #expect(done.count > 0 && done.count < 8)
    #expect(
      try String(contentsOfFile: errors, encoding: .utf8)
        == "Interrupted: \(done.count) of 8 runs are done and kept in \(out). The same command goes on from there\n")
    #expect(!FileManager.default.fileExists(atPath: out + "/critical.csv"))
    let first = "\(out)/lora-lr0.001-seed\(done[0]["seed"]!)"
    let before = try created(first)
    let rest = try lab(arguments + ["--quiet"], out: out)
    #expect(rest.status == 0, "\(rest.stderr)")
    let all = try summary(out)
    #expect(all.count == 8 && done.allSatisfy(all.contains))
    #expect(try created(first) == before)
  }

  private func finished(_ out: String) throws -> Int {
    FileManager.default.fileExists(atPath: out + "/summary.csv") ? try summary(out).count : 0
  }
}
