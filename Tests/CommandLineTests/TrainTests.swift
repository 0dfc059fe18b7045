import Foundation
import OrderedCollections
import RunStore
import TestSupport
import Testing
import Weights

/// `train` as a user meets it: what it writes, what it refuses, and how it stops.
@Suite struct TrainTests {
  let folder = try! TemporaryFolder()

  private func train(_ arguments: String..., out: String) throws -> ProcessResult {
    try run(Program.path, ["train", "--out", out] + arguments, environment: Program.environment)
  }

  /// The records of a run, each line without its wall-clock column.
  private func records(_ path: String) throws -> [JSONValue] {
    let text = try String(contentsOfFile: path + "/training.jsonl", encoding: .utf8)
    return try text.split(separator: "\n").map { line in
      var object = try JSONValue(parsing: Array(line.utf8)).object!
      object["seconds"] = nil
      return .object(object)
    }
  }

  @Test(arguments: [
    "lora", "rslora", "lora-plus", "lora-fa", "dora", "adalora", "pissa", "milora", "miss", "vera", "ia3", "ln-tuning",
    "rank1", "full", "svd",
  ])
  func aRunFolderOfEveryMethod(method: String) throws {
    let out = folder.path("run")
    let result = try train("--method", method, "--steps", "3", "--checkpoint-every", "2", out: out)
    #expect(result.status == 0, "\(result.stderr)")
    #expect(result.stdout == "")
    #expect(result.stderr == "wrote \(out)\n")
    let names = try FileManager.default.contentsOfDirectory(atPath: out).sorted()
    #expect(names == ["checkpoints", "resume", "run.h5", "training.h5", "training.jsonl"])
    let checkpoints = try FileManager.default.contentsOfDirectory(atPath: out + "/checkpoints").sorted()
    #expect(checkpoints == ["00000000.h5", "00000002.h5", "00000003.h5"])
    let records = try records(out)
    #expect(records.map { $0["step"]?.int } == [0, 1, 2, 3])
    #expect(records.map { $0["accuracy"] != nil } == [true, false, true, true])
    let columns = [
      "reward", "reward_std", "frac_reward_zero_std", "frac_all_pass", "frac_all_fail", "entropy", "kl", "grad_norm",
      "step_norm", "update_velocity", "shift_velocity", "update_stride", "shift_stride", "clip_ratio_region_mean",
      "completions_mean_length",
      "completions_clipped_ratio", "learning_rate", "loss",
    ]
    for record in records.dropFirst() {
      for column in columns where method != "ln-tuning" || !column.hasPrefix("shift_") {
        #expect(record[column]?.double?.isFinite == true, "\(column)")
      }
    }
    // The first completions are drawn from the base itself, up to the rounding of the start.
    #expect(try #require(records[1]["kl"]?.double) < 1e-6)
  }

  @Test func analyzeAndExportReadARun() throws {
    let out = folder.path("run")
    try #require(try train("--method", "pissa", "--steps", "4", "--checkpoint-every", "2", out: out).status == 0)
    let analysis = try spectroscope("analyze", out)
    #expect(analysis.status == 0, "\(analysis.stderr)")
    #expect(analysis.stderr == "14/14 modules, 3 checkpoints of pissa, run folder\nwrote \(out)/analysis.h5\n")
    let csv = folder.path("csv")
    #expect(try spectroscope("export", out, "--format", "csv", "--out", csv).status == 0)
    let training = try CSVTable(path: csv + "/training.csv")
    #expect(training.rows.map { $0["step"] } == ["0", "1", "2", "3", "4"])
    let modules = try CSVTable(path: csv + "/modules.csv")
    let start = modules.rows.filter { $0["step"] == "0" && $0["delta"] == "init" }
    #expect(start.count == 14 && start.allSatisfy { $0["frobenius_norm"] == "0.0" && $0["left_overlap"] == "" })
    let moved = modules.rows.filter { $0["step"] == "4" && $0["delta"] == "init" }
    // PiSSA's factors begin in the leading subspaces, so its first steps stay near them.
    let overlaps = moved.map { Double($0["left_overlap"]!)! }
    // Chance would be 4/64.
    #expect(overlaps.count == 14 && overlaps.reduce(0, +) / 14 > 0.4, "\(overlaps)")
    // The observer's velocity is that of the analysis: both are ‖δW‖_F/‖W₀‖_F, the one step by step.
    let column = "update_velocity_by_module.model.layers.0.self_attn.q_proj"
    #expect(training.rows[1...].allSatisfy { Double($0[column]!)! > 0 })
  }

  @Test func theSameContentOnAnyNumberOfThreads() throws {
    let runs = try ["1", "2", "3"].map { threads in
      let out = folder.path("run-\(threads)")
      let result = try train(
        "--method", "dora", "--steps", "4", "--checkpoint-every", "2", "--threads", threads, "--quiet", out: out)
      try #require(result.status == 0)
      #expect(result.stderr == "")
      return out
    }
    let first = try records(runs[0])
    for run in runs.dropFirst() { #expect(try records(run) == first) }
    let tables = try runs.map { out in
      try #require(try spectroscope("analyze", out, "--quiet").status == 0)
      try #require(try spectroscope("export", out, "--format", "csv", "--out", out + "-csv", "--quiet").status == 0)
      return try CSVTable(path: out + "-csv/modules.csv").rows
    }
    #expect(tables.dropFirst().allSatisfy { $0 == tables[0] })
    #expect(Set(tables[0].map { $0["delta"]! }).isSuperset(of: ["init", "init.magnitude", "init.direction"]))
  }

  /// A run whose first step is far too large, under its own gate: how it ends, and what is said.
  @Test func aGatedRunStopsWithItsAlarm() throws {
    let out = folder.path("run")
    let result = try train("--method", "pissa", "--learning-rate", "0.02", "--steps", "12", "--gate", out: out)
    #expect(result.status == 1 && result.stdout == "")
    #expect(
      result.stderr.hasPrefix("the gate stopped behind step 1. SP201 update-velocity: a step moves the weights by"))
    // The finding, and what to do about it.
    let lines = result.stderr.split(separator: "\n")
    #expect(lines.count == 2 && lines[1].contains("learning rate"), "\(result.stderr)")
    #expect(try records(out).map { $0["step"]?.int } == [0, 1])
  }

  @Test func aGatedRunGoesBackAndOn() throws {
    let (out, policy) = (folder.path("run"), folder.path("policy.yaml"))
    try "version: 1\ntraining: {action: roll-back, divide-rate-by: 100}\n".write(
      toFile: policy, atomically: true, encoding: .utf8)
    let result = try train(
      "--method", "pissa", "--learning-rate", "0.02", "--steps", "6", "--gate", policy, out: out)
    #expect(result.status == 0)
    let lines = result.stderr.split(separator: "\n")
    #expect(lines.count == 3 && lines.last == "wrote \(out)")
    #expect(
      lines[0].hasPrefix(
        "the gate went back from step 1 to 0, and on at the learning rate 2.00e-04. SP201 update-velocity"))
    #expect(try records(out).compactMap { $0["learning_rate"]?.double } == Array(repeating: 2e-4, count: 6))
  }

  /// The policy is a part of what the run was begun with, and a stop is an end.
  @Test func aGatedRunStaysGated() throws {
    let (out, policy) = (folder.path("run"), folder.path("policy.yaml"))
    try "version: 1\ntraining: {action: refuse}\n".write(toFile: policy, atomically: true, encoding: .utf8)
    let options = ["--method", "pissa", "--learning-rate", "0.02", "--steps", "12"]
    func train(_ others: String..., out: String) throws -> ProcessResult {
      try run(Program.path, ["train", "--out", out] + others, environment: Program.environment)
    }
    let gated = ["train", "--out", out, "--gate", "--quiet"] + options
    let stopped = try run(Program.path, gated, environment: Program.environment)
    #expect(stopped.status == 1)
    let again = try train("--resume", "--quiet", out: out)
    #expect(again.status == 1 && again.stderr == stopped.stderr, "\(again.stderr)")
    #expect(try train("--resume", "--gate", out: out).status == 1)
    let other = try train("--resume", "--gate", policy, out: out)
    #expect(other.status == 64)
    #expect(
      other.stderr.hasPrefix(
        "Error: the run in \(out) was begun with another --gate. Leave it out to go on with that run, or name a new folder\n"
      ))
    let free = folder.path("free")
    let ungated = ["train", "--out", free, "--quiet"] + options
    try #require(try run(Program.path, ungated, environment: Program.environment).status == 0)
    let late = try train("--resume", "--gate", out: free)
    #expect(late.status == 64 && late.stderr.contains("was begun without --gate."))
    // Without its policy a run whose gate has acted does not go on unwatched.
    try FileManager.default.removeItem(atPath: out + "/policy.yaml")
    let lost = try train("--resume", out: out)
    #expect(
      lost.status == 66 && lost.stderr.contains("policy.yaml: the run's gate has acted, and its policy is not there"))
  }

  @Test func aGateWithoutAPolicyFileIsRefused() throws {
    let result = try train("--gate", folder.path("none.yaml"), out: folder.path("run"))
    #expect(
      result.status == 66 && result.stderr == "Error: \(folder.path("none.yaml")): no such file. Check the path\n")
    #expect(!FileManager.default.fileExists(atPath: folder.path("run")))
  }

  @Test func supervisedLearningLowersTheLoss() throws {
    let out = folder.path("run")
    let result = try train(
      "--objective", "sft", "--steps", "40", "--quiet", out: out)
    #expect(result.status == 0, "\(result.stderr)")
    let losses = try records(out).compactMap { $0["loss"]?.double }
    // A step's loss on 128 examples has a deviation of about 0.02, a mean of ten one of 0.007; training takes off some 0.03.
    #expect(losses.count == 40 && losses.suffix(10).reduce(0, +) < losses.prefix(10).reduce(0, +))
    #expect(try records(out)[1]["reward"] == nil)
  }

  /// What is recorded of a run's objective, by the names of the options.
  @Test(arguments: [
    (
      ["--objective", "grpo"],
      #"{"objective":"grpo","loss_aggregation":"token","scale_rewards":"group","overlong":"none","overlong_cache":null,"dynamic_sampling":false,"most_sampling_rounds":10,"clip_low":0.2,"clip_high":0.28,"kl_coefficient":0.0}"#
    ),
    (
      ["--objective", "dapo"],
      #"{"objective":"dapo","loss_aggregation":"token","scale_rewards":"group","overlong":"filter","overlong_cache":null,"dynamic_sampling":true,"most_sampling_rounds":10,"clip_low":0.2,"clip_high":0.28,"kl_coefficient":0.0}"#
    ),
    (
      ["--objective", "dr-grpo"],
      #"{"objective":"dr-grpo","loss_aggregation":"constant","scale_rewards":"none","overlong":"none","overlong_cache":null,"dynamic_sampling":false,"most_sampling_rounds":10,"clip_low":0.2,"clip_high":0.2,"kl_coefficient":0.0}"#
    ),
    // What is given wins over what the objective brings along.
    (
      [
        "--objective", "dapo", "--clip-high", "0.5", "--clip-low", "0.1", "--kl-coefficient", "0.25", "--overlong",
        "soft",
        "--overlong-cache", "3", "--no-dynamic-sampling", "--loss-aggregation", "sequence", "--scale-rewards", "batch",
      ],
      #"{"objective":"dapo","loss_aggregation":"sequence","scale_rewards":"batch","overlong":"soft","overlong_cache":3,"dynamic_sampling":false,"most_sampling_rounds":10,"clip_low":0.1,"clip_high":0.5,"kl_coefficient":0.25}"#
    ),
    (
      ["--dynamic-sampling", "--most-sampling-rounds", "3"],
      #"{"objective":"grpo","loss_aggregation":"token","scale_rewards":"group","overlong":"none","overlong_cache":null,"dynamic_sampling":true,"most_sampling_rounds":3,"clip_low":0.2,"clip_high":0.28,"kl_coefficient":0.0}"#
    ),
  ])
  func anObjectiveWithItsParts(arguments: [String], recorded: String) throws {
    let out = folder.path("run")
    let result = try run(
      Program.path, ["train", "--out", out, "--steps", "2", "--prompts", "4", "--quiet"] + arguments,
      environment: Program.environment)
    try #require(result.status == 0, "\(result.stderr)")
    let configuration = try RunFolder(path: out).identity.configuration
    let expected = try #require(try JSONValue(parsing: Array(recorded.utf8)).object)
    for (name, value) in expected { #expect(configuration[name] == value, "\(name)") }
    let record = try #require(try records(out).last)
    #expect((record["sampling_rounds"] != nil) == (configuration["dynamic_sampling"] == .bool(true)))
    #expect((record["length_penalty"] != nil) == (configuration["overlong"] == "soft"))
  }

  @Test func aFolderWithARunIsRefused() throws {
    let out = folder.path("run")
    try #require(try train("--steps", "1", "--quiet", out: out).status == 0)
    let again = try train("--steps", "1", out: out)
    #expect(again.status == 73)
    #expect(
      again.stderr
        == "Error: \(out): expected a new folder for the run, found one that holds a run. Name another folder, or delete this "
        + "one if it is not needed\n")
  }

  @Test func aBaseThatCannotServeIsRefused() throws {
    let missing = try train("--base", folder.path("none"), out: folder.path("run"))
    #expect(missing.status == 66)
    #expect(missing.stderr.contains(folder.path("none")), "\(missing.stderr)")
    // It is of the Llama family, and has no tokenizer of one token a character.
    let other = try train("--base", repositoryRoot + "/Tests/References/training/models/llama", out: folder.path("run"))
    #expect(other.status == 65)
    #expect(other.stderr.contains("expected a tokenizer of one token a character"), "\(other.stderr)")
    #expect(!FileManager.default.fileExists(atPath: folder.path("run")))
  }

  @Test func wishesThatDoNotFitTheBaseAreWrongUsage() throws {
    let rank = try train("--rank", "65", out: folder.path("run"))
    #expect(rank.status == 64)
    #expect(
      rank.stderr
        == "Error: expected a rank of at most 64, the largest that model.layers.0.self_attn.q_proj takes, found 65\n")
    let targets = try train("--targets", "qkv_proj", out: folder.path("run"))
    #expect(targets.status == 64)
    #expect(
      targets.stderr
        == "Error: expected layers named qkv_proj, found none that the method adapts. There are q_proj, "
        + "k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj\n")
  }

  @Test(arguments: [
    (
      ["--method", "miss", "--rank-pattern", "q_proj=8"],
      "miss has the same rank and α everywhere: expected no patterns of them"
    ),
    (
      ["--rank-pattern", "qproj=8"],
      "expected a pattern of ranks or α to name an adapted layer by the end of its path, found qproj, which names none"
    ),
    (
      ["--method", "adalora", "--adalora-initial-rank", "2"],
      "expected an initial rank of at least the rank at the end, 4, found 2"
    ),
    (
      ["--method", "adalora", "--adalora-final-steps", "60"],
      "expected steps between AdaLoRA's initial and final ones, found 60 of these and 60 updates in all"
    ),
    (["--method", "ia3", "--dropout", "0.1"], "ia3 has no input to drop out: expected a dropout of 0"),
    (
      ["--method", "vera", "--rank", "100000"],
      "expected a rank of at most 65536, the largest that model.layers.0.self_attn.q_proj takes, found 100000"
    ),
  ])
  func wishesThatDoNotFitTheMethod(arguments: [String], message: String) throws {
    let result = try run(
      Program.path, ["train", "--out", folder.path("run")] + arguments, environment: Program.environment)
    #expect(result.status == 64 && result.stderr == "Error: \(message)\n", "\(result.stderr)")
  }

  @Test(arguments: [
    (["--rank", "0"], "--rank must be at least 1, found 0"),
    (["--alpha=-1"], "--alpha must be a positive number, found -1.0"),
    (["--learning-rate", "nan"], "--learning-rate must be a positive number, found nan"),
    (["--group-size", "1"], "--group-size must be at least 2 for grpo, which compares completions, found 1"),
    (["--pissa-niter", "4"], "--pissa-niter goes with --method pissa alone"),
    (["--method", "ia3", "--rank", "4"], "--rank goes with methods that have a rank alone"),
    (["--method", "vera", "--alpha", "4"], "--alpha goes with methods that have an α alone"),
    (["--method", "rank1", "--rank", "4"], "--method rank1 has rank 1, found --rank 4"),
    (["--prompts", "9223372036854775807"], "--prompts must be at most 16777216, found 9223372036854775807"),
    (
      ["--prompts", "4096", "--group-size", "4096"],
      "--group-size must leave at most 1048576 completions a step, found 16777216"
    ),
    (["--steps", "0"], "--steps must be at least 1, found 0"),
    (["--threads", "0"], "--threads must be at least 1, found 0"),
    (["--kl-coefficient=-0.1"], "--kl-coefficient must be 0 or a positive number, found -0.1"),
    (["--clip-low", "1.5"], "--clip-low must be from 0 to 1, found 1.5"),
    (["--clip-high", "inf"], "--clip-high must be 0 or a positive number, found inf"),
    (["--overlong-cache", "2"], "--overlong-cache goes with --overlong soft alone"),
    (["--overlong", "soft", "--overlong-cache", "0"], "--overlong-cache must be at least 1, found 0"),
    (["--most-sampling-rounds", "3"], "--most-sampling-rounds goes with --dynamic-sampling alone"),
    (
      ["--objective", "dapo", "--group-size", "1"],
      "--group-size must be at least 2 for dapo, which compares completions, found 1"
    ),
    (
      ["--objective", "sft", "--no-dynamic-sampling"],
      "--no-dynamic-sampling goes with an objective that learns from rewards, found sft"
    ),
  ])
  func wrongValues(arguments: [String], message: String) throws {
    let result = try run(
      Program.path, ["train", "--out", folder.path("run")] + arguments, environment: Program.environment)
    #expect(result.status == 64)
    #expect(
      result.stderr
        == "Error: \(message)\nUsage: \(TrainingHelpText.trainUsage)\n  See 'spectroscope train --help' for more information.\n"
    )
  }

  @Test(arguments: [SIGINT, SIGTERM])
  func anInterruptLeavesAReadableRun(signal: Int32) throws {
    let out = folder.path("run")
    let process = Process()
    process.executableURL = URL(fileURLWithPath: Program.path)
    process.arguments = ["train", "--out", out, "--steps", "100000", "--checkpoint-every", "1000"]
    let errors = try folder.write("stderr", "")
    process.standardError = FileHandle(forWritingAtPath: errors)
    try runAcceptingSignals(process)
    let deadline = Date() + 30
    while process.isRunning, Date() < deadline, try lineCount(out) < 4 { usleep(2000) }
    kill(process.processIdentifier, signal)
    process.waitUntilExit()
    #expect(process.terminationStatus == 130)
    let last = try #require(records(out).last?["step"]?.int)
    let text = try String(contentsOfFile: errors, encoding: .utf8)
    #expect(
      text
        == "Interrupted: the run in \(out) ends with a checkpoint of step \(last). The same command with --resume goes on\n"
    )
    let analysis = try spectroscope("analyze", out)
    #expect(analysis.status == 0, "\(analysis.stderr)")
    #expect(analysis.stderr.hasPrefix("14/14 modules, 2 checkpoints of lora"))
  }

  private func lineCount(_ run: String) throws -> Int {
    let path = run + "/training.jsonl"
    guard FileManager.default.fileExists(atPath: path) else { return 0 }
    return try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").count
  }
}

/// `demo` and `pretrain` as a user meets them.
@Suite struct DemoTests {
  let folder = try! TemporaryFolder()

  @Test func aHealthyRunBesideACollapsingOne() throws {
    let out = folder.path("demo")
    for _ in 0..<2 {
      // The second time it replaces the runs of the first.
      let result = try spectroscope("demo", "--out", out)
      #expect(result.status == 0, "\(result.stderr)")
      #expect(result.stderr.hasPrefix("training LoRA and PiSSA on the same problems"))
      let lines = result.stdout.split(separator: "\n").map(String.init)
      #expect(lines[0].contains("held-out") && lines[0].contains("effective rank") && lines[0].contains("velocity"))
      let healthy = try #require(lines.first { $0.hasPrefix("LoRA ") })
      let collapsing = try #require(lines.first { $0.hasPrefix("PiSSA ") })
      #expect(healthy.hasSuffix("no collapse"))
      let onset = try #require(collapsing.firstMatch(of: /collapsed at step (\d+), from a reward of 0\.\d+/))
      // Late enough for several checkpoints before it.
      #expect(Int(onset.1)! > 8)
      // The diagnosis: one is healthy, and the other's weights told so before its reward did.
      #expect(lines.contains { $0.hasPrefix("The diagnosis of LoRA: HEALTHY") })
      #expect(
        lines.contains {
          $0.hasPrefix("The diagnosis of PiSSA: ALERT, since step ") && $0.hasSuffix(" – the direction of the steps")
        })
      #expect(lines.contains { $0.contains("the weights led by ") })
    }
    for run in ["lora", "pissa"] {
      let inspection = try spectroscope("inspect", out + "/" + run)
      #expect(inspection.status == 0)
      #expect(inspection.stdout.hasSuffix("nothing looks wrong\n"))
      let csv = folder.path("csv-" + run)
      #expect(try spectroscope("export", out + "/" + run, "--format", "csv", "--out", csv).status == 0)
      #expect(try CSVTable(path: csv + "/training.csv").rows.count == 61)
    }
    // Its report is the one that the command in it makes.
    let report = try String(contentsOfFile: out + "/report.html", encoding: .utf8)
    try #require(
      try spectroscope("report", out + "/lora", out + "/pissa", "--out", out + "/report.html", "--quiet").status == 0)
    #expect(try String(contentsOfFile: out + "/report.html", encoding: .utf8) == report)
  }

  @Test func aSmallBaseIsMadeAndTrainedOn() throws {
    let base = folder.path("base")
    let made = try spectroscope(
      "pretrain", "--out", base, "--steps", "30", "--batch-size", "16", "--hidden-size", "16", "--heads", "2",
      "--key-value-heads", "1", "--intermediate-size", "24", "--layers", "1")
    #expect(made.status == 0, "\(made.stderr)")
    #expect(made.stderr.contains("step    30/30  loss ") && made.stderr.hasSuffix("wrote \(base)\n"))
    let run = folder.path("run")
    let trained = try spectroscope("train", "--base", base, "--steps", "2", "--out", run, "--rank", "2", "--quiet")
    #expect(trained.status == 0, "\(trained.stderr)")
    // The recorded base is the default; another one is refused.
    #expect(try spectroscope("analyze", run, "--quiet").status == 0)
    let other = try spectroscope("analyze", run, "--base", Reference.llama)
    #expect(other.status == 65)
    #expect(other.stderr.contains("sha256"), "\(other.stderr)")
    let again = try spectroscope("pretrain", "--out", base)
    #expect(again.status == 73)
    #expect(again.stderr == "Error: \(base): the folder holds a model already. Name a new folder\n")
  }
}
