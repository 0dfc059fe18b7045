import Foundation
import LinearAlgebra
import TestSupport
import Testing

/// `--shard` and `merge` as a user meets them.
@Suite struct ShardTests {
  let bench = try! Bench()
  private var shards: String { bench.output + ".shards" }

  /// Measures one shard against the Llama base of the references.
  @discardableResult
  private func shard(
    _ shard: String, _ options: [String] = [], source: String = Reference.lora, environment: [String: String] = [:]
  ) throws -> ProcessResult {
    try run(
      Program.path,
      ["analyze", source, "--base", Reference.llama, "--out", bench.output, "--shard=" + shard] + options,
      environment: Program.environment.merging(environment) { $1 })
  }

  private func file(_ index: Int, of count: Int) -> String { "\(shards)/shard-\(index)-of-\(count).jsonl" }

  private func content(_ path: String) throws -> Data { try Data(contentsOf: URL(fileURLWithPath: path)) }

  /// Another kind of kernels than this machine's, by OpenBLAS's name.
  private static let otherKernels = BLASLibrary.kernel == "Haswell" ? "Sandybridge" : "Haswell"

  private static let moduleNames = (0..<2).flatMap { layer in
    [
      "mlp.down_proj", "mlp.gate_proj", "mlp.up_proj", "self_attn.k_proj", "self_attn.o_proj", "self_attn.q_proj",
      "self_attn.v_proj",
    ].map { "model.layers.\(layer).\($0)" }
  }

  // MARK: Equality

  @Test(arguments: ["update", "geometry", "full"], [1, 2, 3, 7])
  func theFileIsThatOfOneProcess(depth: String, count: Int) throws {
    try #require(try bench.analyze(Reference.lora, "--depth", depth).status == 0)
    let whole = try content(bench.output)
    try FileManager.default.removeItem(atPath: bench.output)
    for index in 0..<count { #expect(try shard("\(index)/\(count)", ["--depth", depth, "--jobs", "1"]).status == 0) }
    #expect(!bench.exists(bench.output), "a shard is no analysis")
    let merged = try spectroscope("merge", bench.output)
    #expect(merged.status == 0 && merged.stderr == "wrote \(bench.output)\n" && merged.steps == ["5", "10", "20"])
    #expect(try content(bench.output) == whole)
  }

  @Test func moreShardsThanModulesRunAtOnce() throws {
    let alone = bench.path("alone.h5")
    let whole = try spectroscope("analyze", Reference.lora, "--base", Reference.llama, "--out", alone, "--quiet")
    try #require(whole.status == 0)
    let children = try (0..<20).map { index in
      try Child(
        Program.path,
        [
          "analyze", Reference.lora, "--base", Reference.llama, "--out", bench.output, "--basis", bench.path("basis"),
          "--jobs", "1", "--shard", "\(index)/20",
        ], output: bench.path("said-\(index)"))
    }
    for child in children { #expect(child.status(within: 60) == 0, "\(child.output)") }
    #expect(try spectroscope("merge", shards, "--quiet").status == 0)
    #expect(try content(bench.output) == content(alone))
    let left = try FileManager.default.contentsOfDirectory(atPath: shards)
    #expect(left.count == 20 && left.allSatisfy { $0.hasSuffix(".jsonl") })
  }

  @Test func aRunFolderHasItsFindingsAsWell() throws {
    let path = bench.path("run")
    let trained = try spectroscope(
      "train", "--out", path, "--steps", "4", "--prompts", "4", "--checkpoint-every", "2", "--quiet")
    try #require(trained.status == 0, "\(trained.stderr)")
    try #require(try spectroscope("analyze", path, "--quiet").status == 0)
    let names = [path + "/analysis.h5", path + "/findings.json"]
    let whole = try names.map(content)
    for name in names { try FileManager.default.removeItem(atPath: name) }
    for index in 0..<3 {
      try #require(try spectroscope("analyze", path, "--quiet", "--shard", "\(index)/3").status == 0)
    }
    #expect(!bench.exists(names[1]))
    let merged = try spectroscope("merge", path, "--quiet")
    #expect(merged.status == 0, "\(merged.stderr)")
    #expect(try names.map(content) == whole)
  }

  @Test func foldersOfMachinesWithNothingInCommon() throws {
    try #require(try bench.analyze(Reference.lora).status == 0)
    for index in 0..<2 {
      try shard("\(index)/2")
      try FileManager.default.moveItem(atPath: shards, toPath: bench.path("machine-\(index)"))
      try FileManager.default.moveItem(atPath: bench.path("machine-\(index)"), toPath: bench.path("\(index).h5.shards"))
    }
    let (first, second) = (bench.path("0.h5"), bench.path("1.h5"))
    let joined = bench.path("joined.h5")
    #expect(try spectroscope("merge", first, second).stderr.contains("--out must say where"))
    #expect(try spectroscope("merge", first, second, "--out", joined, "--quiet").status == 0)
    #expect(try content(joined) == content(bench.output))
  }

  // MARK: Going on

  @Test func whatIsThereIsKept() throws {
    let first = try shard("1/3")
    #expect(first.stdout == "shard 1/3: 15 measured, 15 in \(file(1, of: 3))\n" && first.status == 0)
    #expect(first.stderr.hasSuffix("`spectroscope merge \(bench.output)` joins them.\n"))
    let before = try content(file(1, of: 3))
    let again = try shard("1/3", ["--json", "--quiet"])
    #expect(again.stdout.contains(#""measured": 0,"#) && again.stdout.contains(#""pieces": 15"#))
    #expect(try content(file(1, of: 3)) == before)
    // What a killed writer of this machine has left goes, a living one's stays, and so does another machine's for an hour.
    let host = try run("/bin/uname", ["-n"]).stdout.split(separator: "\n")[0].split(separator: ".")[0]
    let dead = ".shard-0-of-3.jsonl.\(host)-4194303-a.tmp"
    let alive = ".shard-0-of-3.jsonl.\(host)-\(getpid())-a.tmp"
    let (young, old) = (".shard-0-of-3.jsonl.elsewhere-1-a.tmp", ".shard-0-of-3.pieces.elsewhere-1-b.tmp")
    for name in [dead, alive, young, old] { try bench.folder.write("out.h5.shards/" + name, "half a") }
    try FileManager.default.setAttributes(
      [.modificationDate: Date(timeIntervalSinceNow: -4000)], ofItemAtPath: shards + "/" + old)
    try shard("2/3")
    #expect([dead, alive, young, old].map { bench.exists(shards + "/" + $0) } == [false, true, true, false])
  }

  @Test(arguments: [SIGTERM, SIGKILL])
  func aKilledShardGoesOn(signal: Int32) throws {
    let steps = [5, 10, 20]
    for index in 0..<60 {
      try bench.copy("\(Reference.lora)/checkpoint-\(steps[index % 3])", as: "run/checkpoint-\(index)")
    }
    let source = bench.path("run")
    try #require(try bench.analyze(source).status == 0)
    let whole = try content(bench.output)
    let child = try Child(
      Program.path,
      ["analyze", source, "--base", Reference.llama, "--out", bench.output, "--jobs", "1", "--shard", "0/2"],
      output: bench.path("said"))
    let journal = shards + "/shard-0-of-2.pieces"
    func size() -> Int { (try? content(journal).count) ?? 0 }
    try #require(wait(20) { size() > 30_000 || !child.isRunning })
    child.send(signal)
    #expect(child.status(within: 20) == (signal == SIGTERM ? 130 : SIGKILL))
    #expect(bench.exists(journal) && !bench.exists(file(0, of: 2)))
    try shard("1/2", source: source)
    let early = try spectroscope("merge", bench.output)
    #expect(early.status == 65 && early.stderr.contains("shard 0/2 has not ended, "))
    let ended = try shard("0/2", source: source)
    let counts = try #require(ended.stdout.firstMatch(of: /: (\d+) measured, (\d+) in/))
    #expect(Int(counts.1)! < Int(counts.2)!, "what was measured before the end is kept")
    #expect(try spectroscope("merge", bench.output, "--quiet").status == 0)
    #expect(try content(bench.output) == whole)
  }

  // MARK: What is wrong

  @Test(arguments: ["1", "a/b", "3/3", "-1/3", "0/0", "0/1/2", "1/3.0"])
  func aWrongShardIsUsage(text: String) throws {
    for command in [["analyze", "run", "--base", "b", "--out", "o.h5"], ["basis", "b"], ["lab", "--out", "o"]] {
      let result = try run(Program.path, command + ["--shard=" + text], environment: Program.environment)
      #expect(result.status == 64 && result.stdout == "")
      #expect(result.stderr.contains("is invalid for '--shard <i/n>': expected i/n with i from 0 to n - 1"))
    }
  }

  @Test func slurmSaysWhichOnlyWhereItIsAsked() throws {
    let none = try shard("auto")
    #expect(none.status == 64)
    for name in ["SLURM_ARRAY_TASK_ID", "SLURM_PROCID", "SLURM_NTASKS", "--shard i/n"] {
      #expect(none.stderr.contains(name))
    }
    let array = [
      "SLURM_ARRAY_TASK_ID": "5", "SLURM_ARRAY_TASK_MIN": "3", "SLURM_ARRAY_TASK_MAX": "7",
      "SLURM_ARRAY_TASK_STEP": "2", "SLURM_ARRAY_TASK_COUNT": "3",
    ]
    #expect(try shard("auto", environment: array).stdout.hasPrefix("shard 1/3: "))
    // An array over several runs analyses all of each.
    let whole = try run(
      Program.path, ["analyze", Reference.lora, "--base", Reference.llama, "--out", bench.path("whole.h5")],
      environment: Program.environment.merging(array) { $1 })
    #expect(whole.status == 0 && whole.stdout.contains("      14 "))
  }

  @Test func whatIsMissingIsNamed() throws {
    let nothing = try spectroscope("merge", bench.output)
    #expect(
      nothing.status == 66 && nothing.stderr.hasPrefix("Error: \(shards): expected the folder of an analysis's shards"))
    try shard("0/3")
    let result = try spectroscope("merge", bench.output)
    #expect(result.status == 65 && result.stdout == "" && !bench.exists(bench.output))
    let lines = result.stderr.split(separator: "\n")
    try #require(lines.count == 2)
    var named: [String] = []
    for (index, line) in lines.enumerated() {
      #expect(line.hasPrefix("Error: \(shards): shard \(index + 1)/3 is missing: steps 5, 10, 20 of \"model."))
      #expect(line.hasSuffix("Run `spectroscope analyze` with --shard \(index + 1)/3 again"))
      named += Self.moduleNames.filter { line.contains("\"\($0)\"") }
    }
    let own = Self.moduleNames.filter {
      try! String(contentsOfFile: file(0, of: 3), encoding: .utf8).contains(#""reference":"\#($0)""#)
    }
    #expect((named + own).sorted() == Self.moduleNames.sorted())
  }

  @Test func damageIsNamed() throws {
    for index in 0..<3 { try shard("\(index)/3") }
    let bytes = try content(file(0, of: 3))
    try Data(
      String(decoding: bytes, as: UTF8.self).replacing("\"spectral_norm\":0.1", with: "\"spectral_norm\":0.2").utf8
    )
    .write(to: URL(fileURLWithPath: file(0, of: 3)))
    try #require(try content(file(0, of: 3)) != bytes)
    try content(file(2, of: 3)).prefix(5000).write(to: URL(fileURLWithPath: file(2, of: 3)))
    let result = try spectroscope("merge", bench.output)
    #expect(result.status == 65 && !bench.exists(bench.output))
    #expect(result.stderr.contains("Error: \(file(0, of: 3)): expected content with the sha256 "))
    #expect(
      result.stderr.contains(
        "Error: \(file(2, of: 3)): expected a shard of an analysis, found a file that is cut short"))
    #expect(result.stderr.contains("shard 0/3 is missing") && result.stderr.contains("shard 2/3 is missing"))
    // The same command makes it anew.
    #expect(try shard("0/3").stdout.contains(": 12 measured"))
    try shard("2/3")
    #expect(try spectroscope("merge", bench.output, "--quiet").status == 0)
  }

  @Test func overlapIsRefused() throws {
    for index in 0..<2 { try shard("\(index)/2") }
    try shard("1/3")
    let divisions = try spectroscope("merge", bench.output)
    #expect(divisions.status == 65)
    #expect(
      divisions.stderr.contains(
        "expected shards of one division, found shard-0-of-2.jsonl, shard-1-of-2.jsonl of 2 and shard-1-of-3.jsonl of 3"
      ))
    try FileManager.default.removeItem(atPath: file(1, of: 3))
    // The same once more is no harm, other content is.
    try bench.copy(file(0, of: 2), as: "out.h5.shards/shard-copy.jsonl")
    #expect(try spectroscope("merge", bench.output, "--quiet").status == 0)
    try FileManager.default.removeItem(atPath: shards + "/shard-copy.jsonl")
    try FileManager.default.moveItem(atPath: file(0, of: 2), toPath: shards + "/shard-copy.jsonl")
    try shard("0/2", ["--basis", bench.path("basis")], environment: ["OPENBLAS_CORETYPE": Self.otherKernels])
    let twice = try spectroscope("merge", bench.output, "--allow-mixed-kernels")
    #expect(
      twice.status == 65 && twice.stderr.contains("found other content than in shard-0-of-2.jsonl: steps 5, 10, 20 of ")
    )
  }

  @Test func otherOptionsAreRefused() throws {
    try shard("0/2")
    try shard("1/2", ["--depth", "update"])
    let result = try spectroscope("merge", bench.output)
    #expect(result.status == 65)
    #expect(
      result.stderr.contains(
        #"\#(file(1, of: 2)): what it was measured of: expected depth "auto", as shard-0-of-2.jsonl has, found "update""#
      ))
  }

  @Test func mixedKernelsAreJoinedOnlyOnDemand() throws {
    try shard("0/2")
    try shard("1/2", environment: ["OPENBLAS_CORETYPE": Self.otherKernels])
    let refused = try spectroscope("merge", bench.output)
    #expect(refused.status == 65 && !bench.exists(bench.output))
    #expect(refused.stderr.contains(Self.otherKernels) && refused.stderr.contains("(shard 1)"))
    #expect(refused.stderr.contains("--allow-mixed-kernels"))
    let joined = try spectroscope("merge", bench.output, "--allow-mixed-kernels")
    #expect(joined.status == 0 && joined.stderr.contains("Note: computed by different kernels ("))
    let bytes = try content(bench.output)
    #expect(bytes.range(of: Data("mixed_kernels".utf8)) != nil && bytes.range(of: Data(Self.otherKernels.utf8)) != nil)
    #expect(try spectroscope("diagnose", bench.output).status == 0)
  }

  /// A shard that has done its part ends with 0, so that what waits for it begins; merge says what was left out.
  @Test func mergeSaysWhatWasLeftOut() throws {
    for step in [5, 10, 20] { try bench.copy("\(Reference.lora)/checkpoint-\(step)", as: "run/checkpoint-\(step)") }
    try bench.folder.write("run/checkpoint-10/adapter_model.safetensors", gitLFSPointer)
    let source = bench.path("run")
    let alone = try bench.analyze(source)
    #expect(alone.status == 65)
    let whole = try content(bench.output)
    for index in 0..<2 { #expect(try shard("\(index)/2", source: source).status == 0) }
    let merged = try spectroscope("merge", bench.output)
    #expect(merged.status == 65 && merged.stdout == alone.stdout)
    #expect(
      merged.stderr.hasSuffix(
        "Error: left out: 1 damaged checkpoint or tensor (see the findings); the rest is in \(bench.output)\n"))
    #expect(try content(bench.output) == whole)
  }

  // MARK: basis and lab

  @Test func basisInParts() throws {
    let (parts, whole) = (bench.path("parts"), bench.path("whole"))
    try #require(try spectroscope("basis", Reference.llama, "--out", whole, "--quiet").status == 0)
    var computed = 0
    for index in 0..<3 {
      let result = try spectroscope("basis", Reference.llama, "--out", parts, "--shard", "\(index)/3")
      computed += try #require(result.stdout.firstMatch(of: /^(\d+) computed, 0 kept/).flatMap { Int($0.1) })
    }
    #expect(computed == 14)
    #expect(try spectroscope("basis", Reference.llama, "--out", parts).stdout == "0 computed, 14 kept in \(parts)\n")
    for name in try FileManager.default.contentsOfDirectory(atPath: whole) {
      #expect(FileManager.default.contentsEqual(atPath: whole + "/" + name, andPath: parts + "/" + name))
    }
    let merged = try spectroscope("merge", parts)
    #expect(merged.status == 64 && merged.stderr.contains("the same command without --shard"))
  }

  @Test func aGridInParts() throws {
    func lab(_ out: String, _ options: String...) throws -> ProcessResult {
      try run(
        Program.path,
        ["lab", "--out", bench.path(out), "--steps", "3", "--prompts", "4", "--checkpoint-every", "2", "--quiet"]
          + ["--methods", "lora,pissa", "--learning-rates", "1e-3,0.02"] + options, environment: Program.environment)
    }
    func summary(_ out: String) throws -> [[String: String]] {
      try CSVTable(path: bench.path(out + "/summary.csv")).rows.map { $0.filter { $0.key != "seconds" } }
    }
    let whole = try lab("whole")
    try #require(whole.status == 0, "\(whole.stderr)")
    #expect(try lab("lab", "--shard", "0/3").stdout == "shard 0/3: 2 of 4 runs are done in \(bench.path("lab"))\n")
    #expect(try lab("lab", "--shard", "1/3").stdout == "shard 1/3: 1 of 4 runs is done in \(bench.path("lab"))\n")
    #expect(!bench.exists(bench.path("lab/summary.csv")))
    // What no shard has made the command without makes.
    let joined = try lab("lab")
    #expect(joined.status == 0 && joined.stdout == whole.stdout)
    #expect(try summary("lab") == summary("whole"))
    #expect(try content(bench.path("lab/critical.csv")) == content(bench.path("whole/critical.csv")))
    let merged = try spectroscope("merge", bench.path("lab"))
    #expect(merged.status == 64 && merged.stderr.contains("writes the tables of lab"))
  }
}
