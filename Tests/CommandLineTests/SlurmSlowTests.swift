import Foundation
import TestSupport
import Testing

/// The script of `integrate slurm` and `--shard auto` under a real Slurm, which is started here.
@Suite(
  .tags(.slow), .serialized, .enabled(if: slowTestsEnabled, "Set SPECTROSCOPE_SLOW_TESTS=1."),
  .enabled(if: SlurmCluster.isPossible, "Needs root and Slurm: apt-get install slurm-wlm munge"))
struct SlurmSlowTests {
  private let bench = try! Bench()
  private static let checkpoints = 800
  private static let shards = 4

  private var output: String { bench.output }

  private func content(_ path: String) throws -> Data { try Data(contentsOf: URL(fileURLWithPath: path)) }

  private func log(_ task: Int) -> String {
    (try? String(contentsOfFile: bench.path("task-\(task).log"), encoding: .utf8)) ?? ""
  }

  /// A series that takes a while.
  private func series() throws -> String {
    let steps = [5, 10, 20]
    for index in 0..<Self.checkpoints {
      try bench.copy("\(Reference.lora)/checkpoint-\(steps[index % 3])", as: "run/checkpoint-\(index)")
    }
    return bench.path("run")
  }

  /// One task is requeued while it runs; another one's result is lost and submitted again by its number alone.
  @Test func aRequeuedArrayGivesTheFileOfOneProcess() throws {
    let source = try series()
    var began = Date()
    func lap(_ what: String) {
      print(String(format: "Slurm: %@ after %.1f s", what, Date().timeIntervalSince(began)))
      began = Date()
    }
    let (alone, script) = (bench.path("alone.h5"), bench.path("analyze.sbatch"))
    let whole = try spectroscope("analyze", source, "--base", Reference.llama, "--out", alone, "--quiet")
    try #require(whole.status == 0, "\(whole.stderr)")
    lap("the analysis of one process is written")
    try #require(try spectroscope("integrate", "slurm", "--out", script, "--quiet").status == 0)
    let cluster = try SlurmCluster([
      "RUN": source, "BASE": Reference.llama, "OUT": output, "SHARDS": String(Self.shards),
    ])
    defer { cluster.stop() }
    lap("the cluster is idle")
    let options = ["--cpus-per-task=1", "--chdir", bench.folder.path, "--output", bench.path("task-%a.log")]
    let job = try cluster.submit(["--array=0-\(Self.shards - 1)"] + options + [script])
    let merge = try cluster.submit(
      ["--dependency=afterok:" + job, "--array=0"] + options.dropLast() + [bench.path("merge.log"), script, "merge"])

    try requeue("\(job)_2", of: cluster)
    lap("task 2 is requeued")
    if try !cluster.hasEnded(job, within: 300) {
      print("Slurm: a task has not ended within 300 s, and is submitted again: \(try cluster.states(job))")
      try cluster.tool("scancel", [job])
      let again = try cluster.submit(["--array=2"] + options + [script])
      try #require(try cluster.hasEnded(again, within: 120), "\(cluster.log)")
      try #require(try spectroscope("merge", output, "--quiet").status == 0)
    } else {
      try #require(try cluster.hasEnded(merge, within: 60), "\(cluster.log)")
    }
    lap("all tasks and the join have ended")
    print(log(2), try String(contentsOfFile: bench.path("merge.log"), encoding: .utf8).suffix(200))
    #expect(try content(output) == content(alone))
    // It was stopped by a signal, and went on with what it had.
    #expect(log(2).contains("Interrupted: "))
    let counts = try #require(log(2).firstMatch(of: /shard 2\/4: (\d+) measured, (\d+) in/), "\(log(2))")
    #expect(Int(counts.1)! < Int(counts.2)!)
    #expect(log(0).contains("shard 0/4: ") && !log(0).contains("Interrupted"))

    try FileManager.default.removeItem(atPath: output + ".shards/shard-1-of-4.jsonl")
    try FileManager.default.removeItem(atPath: output)
    let missing = try spectroscope("merge", output)
    #expect(missing.status == 65 && missing.stderr.contains("shard 1/4 is missing"))
    let lost = try cluster.submit(["--array=1"] + options + [script])
    try #require(try cluster.hasEnded(lost, within: 120), "\(cluster.log)")
    try #require(try spectroscope("merge", output, "--quiet").status == 0, "\(log(1))")
    #expect(try content(output) == content(alone))
    lap("a lost task is made again and joined")
  }

  /// Waits until the task has measured something, has it stopped and put back, and spares it Slurm's two minutes of pause.
  private func requeue(_ task: String, of cluster: SlurmCluster) throws {
    let journal = output + ".shards/shard-2-of-4.pieces"
    let hasBegun = wait(60) {
      ((try? content(journal)) ?? Data()).count { $0 == UInt8(ascii: "\n") } > 300
    }
    try #require(hasBegun, "\(log(2))\(cluster.log)")
    try #require(try cluster.tool("scontrol", ["requeue", task]) == "")
    try #require(wait(60) { try cluster.tool("squeue", ["-h", "-o", "%T", "-j", task]) == "PENDING" })
    try #require(try cluster.tool("scontrol", ["update", "JobId=" + task, "StartTime=now"]) == "")
  }

  /// The variables of a real array with a step, and of the tasks of one job.
  @Test func autoIsWhatSlurmSays() throws {
    try #require(try bench.analyze(Reference.lora).status == 0)
    let whole = try content(output)
    let cluster = try SlurmCluster([:])
    defer { cluster.stop() }
    for (name, options, launcher) in [("array", ["--array=3-7:2"], ""), ("tasks", ["--ntasks=3"], "srun ")] {
      let out = bench.path(name + ".h5")
      let command =
        "\(launcher)spectroscope analyze '\(Reference.lora)' --base '\(Reference.llama)' --out '\(out)' --shard auto"
      let log = bench.path(name + ".log")
      let job = try cluster.submit(options + ["--output", log, "--open-mode=append", "--wrap", command])
      try #require(try cluster.hasEnded(job, within: 120), "\(cluster.log)")
      let said = try String(contentsOfFile: log, encoding: .utf8)
      for index in 0..<3 { #expect(said.contains("shard \(index)/3: "), "\(said)") }
      #expect(try spectroscope("merge", out, "--quiet").status == 0)
      #expect(try content(out) == whole)
    }
  }
}
