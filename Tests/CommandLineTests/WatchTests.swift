import Foundation
import OrderedCollections
import TestSupport
import Testing
import Weights

/// `watch` as a user meets it: a trainer's folder that grows, alerts, and receivers that fail.
@Suite struct WatchTests {
  private let folder = try! TemporaryFolder()
  private var files: FileManager { .default }

  private static let blowUp = ReferenceCase.folder + "/diagnosis/blow-up"
  private static let base = repositoryRoot + "/Sources/CBase/model"
  /// The loss rises from step 32 on, which the checkpoint of step 35 is the first to show.
  private static let alert =
    "alert SP412 loss-rising: step 32: the loss has risen to 4.04, from 0.131 at its lowest and 0.165 at the start\n"

  private func arrive(_ steps: Int...) throws {
    try files.createDirectory(atPath: folder.path("run"), withIntermediateDirectories: true)
    for step in steps {
      try files.copyItem(atPath: "\(Self.blowUp)/checkpoint-\(step)", toPath: folder.path("run/checkpoint-\(step)"))
    }
  }

  private func watch(_ options: String..., environment: [String: String] = [:]) throws -> ProcessResult {
    try run(
      Program.path, ["watch", folder.path("run"), "--base", Self.base] + options,
      environment: Program.environment.merging(environment) { $1 })
  }

  private func text(_ name: String) throws -> String {
    try String(contentsOfFile: folder.path(name), encoding: .utf8)
  }

  @Test func fromHealthToAnAlert() throws {
    try arrive(5, 10)
    let options = ["--once", "--stop-file", folder.path("stop"), "--openmetrics", folder.path("m.prom")]
    func once() throws -> ProcessResult {
      try watch(options[0], options[1], options[2], options[3], options[4])
    }
    let early = try once()
    // Supervised runs have no calibrated bounds.
    #expect(early.status == 2 && early.stdout == "", "\(early.stderr)")
    #expect(early.stderr.hasPrefix("2 checkpoints up to 10: inconclusive, update velocity 4.80e-04 a step\n"))
    #expect(!files.fileExists(atPath: folder.path("stop")))
    for step in [5, 10] { try files.removeItem(atPath: folder.path("run/checkpoint-\(step)")) }
    try arrive(15, 20, 25, 30, 35)
    let late = try once()
    #expect(late.status == 1 && late.stdout == Self.alert)
    #expect(try text("stop") == String(Self.alert.dropFirst(6)))
    // It has been told.
    try files.removeItem(atPath: folder.path("stop"))
    let again = try once()
    #expect(again.status == 1 && again.stdout == "" && !files.fileExists(atPath: folder.path("stop")))
    let metrics = try text("m.prom")
    #expect(metrics.contains("# TYPE spectroscope_update_velocity gauge\n") && metrics.hasSuffix("# EOF\n"))
    #expect(metrics.contains("spectroscope_last_checkpoint{run=\"\(folder.path("run"))\"} 35\n"))
    #expect(metrics.contains("spectroscope_outcome=\"alert\"} 1\n"))
    // What other commands read.
    let diagnosed = try spectroscope("diagnose", folder.path("run/.spectroscope/analysis.h5"))
    #expect(diagnosed.stdout.contains("SP412"))
  }

  @Test func theCommandIsToldOnceAndAgainWhereItFailed() throws {
    try arrive(5, 30, 35)
    let told = folder.path("told")
    let failing = try watch("--once", "--on-alert", "exit 3")
    #expect(failing.status == 1 && failing.stdout == Self.alert)
    #expect(failing.stderr.contains("command: it ended with code 3; it is tried again\n"))
    let command = "echo \"$SPECTROSCOPE_CODE $SPECTROSCOPE_STEP $SPECTROSCOPE_RUN $SPECTROSCOPE_MESSAGE\" >> \(told)"
    for _ in 0..<2 { #expect(try watch("--once", "--on-alert", command).stdout == "") }
    #expect(try text("told") == "SP412 32 \(folder.path("run")) \(Self.alert.dropFirst(25))")
  }

  // MARK: Webhooks

  @Test func aWebhookGetsWhatItsAddressTakes() throws {
    try arrive(5, 30, 35)
    let server = try AlertServer(status: 200)
    let result = try watch("--once", "--webhook", "http://127.0.0.1:\(server.port)/services/secret")
    #expect(result.status == 1 && !(result.stdout + result.stderr).contains("secret"))
    let body = try #require(server.bodies.first.map { try JSONValue(parsing: Array($0.utf8)) })
    #expect(server.bodies.count == 1 && body["code"]?.string == "SP412" && body["step"]?.int == 32)
    #expect(body["title"]?.string == "SP412 loss-rising" && body["level"]?.string == "error")
    #expect(body["id"]?.string == "1-SP412-32" && body["run"]?.string == folder.path("run"))
    #expect(try !text("run/.spectroscope/alerts.jsonl").contains("secret"))
    #expect(try watch("--once", "--webhook", "http://127.0.0.1:\(server.port)/services/secret").status == 1)
    #expect(server.bodies.count == 1)
  }

  @Test(arguments: [("slack", "text"), ("discord", "content")])
  func theShapeCanBeSaid(shape: String, key: String) throws {
    try arrive(5, 30, 35)
    let server = try AlertServer(status: 204)
    // By the environment, where no list of processes shows it.
    let result = try watch(
      "--once", "--webhook-format", shape, environment: ["SPECTROSCOPE_WEBHOOK": "http://127.0.0.1:\(server.port)/x"])
    #expect(result.status == 1)
    let body = try #require(server.bodies.first.map { try JSONValue(parsing: Array($0.utf8)).object })
    #expect(body?.keys.elements == [key] && body?[key]?.string?.hasPrefix("SP412 loss-rising in ") == true)
  }

  /// Broken, gone: the alert is printed all the same, and delivered by the next watcher.
  @Test func aWebhookThatFailsIsToldAgain() throws {
    try arrive(5, 30, 35)
    let broken = try AlertServer(status: 500)
    let failing = try watch("--once", "--webhook", "http://127.0.0.1:\(broken.port)/secret")
    #expect(failing.status == 1 && failing.stdout == Self.alert)
    #expect(failing.stderr.contains("webhook at 127.0.0.1: the answer was 500; it is tried again\n"))
    // It was tried more than once within the time that the end waits.
    #expect(broken.bodies.count >= 2 && !failing.stderr.contains("secret"))
    let server = try AlertServer(status: 200)
    #expect(try watch("--once", "--webhook", "http://127.0.0.1:\(server.port)/secret").stdout == "")
    #expect(server.bodies.count == 1)
  }

  /// A server that takes the request and never answers does not keep later checkpoints from being measured.
  @Test func aSlowWebhookHoldsUpNothing() throws {
    try arrive(5, 30, 35)
    let server = try AlertServer(status: nil)
    let process = Process()
    process.executableURL = URL(fileURLWithPath: Program.path)
    process.arguments = [
      "watch", folder.path("run"), "--base", Self.base, "--interval", "0.1", "--webhook",
      "http://127.0.0.1:\(server.port)/x",
    ]
    process.environment = Program.environment
    (process.standardOutput, process.standardError) = (FileHandle.nullDevice, FileHandle.nullDevice)
    try runAcceptingSignals(process)
    defer { kill(process.processIdentifier, SIGKILL) }
    func hasMeasured(_ step: Int) -> Bool {
      ((try? text("run/.spectroscope/analysis.h5.pieces")) ?? "").contains("{\"measured\":\(step),")
    }
    func wait(_ isThere: () -> Bool) -> Bool {
      let end = Date() + 8
      while !isThere(), Date() < end { usleep(20_000) }
      return isThere()
    }
    #expect(wait { hasMeasured(35) && !server.bodies.isEmpty })
    try arrive(40)
    #expect(wait { hasMeasured(40) }, "within less than the patience for an answer")
  }

  // MARK: Mistakes

  @Test func whatIsNotThereIsSaid() throws {
    let none = try watch("--once")
    #expect(none.status == 66 && none.stderr.contains("expected the folder in which a trainer writes, found none"))
    try files.createDirectory(atPath: folder.path("run"), withIntermediateDirectories: true)
    let empty = try watch("--once")
    #expect(empty.status == 2 && empty.stderr == "no checkpoint yet in \(folder.path("run"))\n")
    let base = try spectroscope("watch", folder.path("run"), "--base", folder.path("none"), "--once")
    #expect(base.status == 66)
    let hook = try watch("--once", "--webhook", "ftp://x/secret")
    #expect(hook.status == 64 && hook.stderr.contains("must be an address that begins with https:// or http://"))
    #expect(!hook.stderr.contains("secret"))
  }

  @Test func theStateBelongsToOneWatcher() throws {
    try arrive(5)
    let process = Process()
    process.executableURL = URL(fileURLWithPath: Program.path)
    process.arguments = ["watch", folder.path("run"), "--base", Self.base, "--interval", "0.1"]
    process.environment = Program.environment
    (process.standardOutput, process.standardError) = (FileHandle.nullDevice, FileHandle.nullDevice)
    try runAcceptingSignals(process)
    let end = Date() + 8
    while !files.fileExists(atPath: folder.path("run/.spectroscope/analysis.h5")), Date() < end { usleep(20_000) }
    let second = try watch("--once")
    #expect(second.status == 73 && second.stderr.contains("expected a state that nobody writes"))
    // An interruption is its usual end.
    kill(process.processIdentifier, SIGTERM)
    let patience = Date() + 20
    while process.isRunning, Date() < patience { usleep(20_000) }
    #expect(!process.isRunning && process.terminationStatus == 0)
    if process.isRunning { kill(process.processIdentifier, SIGKILL) }
  }
}

/// `integrate`.
@Suite struct IntegrateTests {
  @Test(arguments: [
    ("transformers", "class SpectroscopeCallback(TrainerCallback):"), ("verl", "--stop-file"),
    ("openrlhf", "--stop-file"), ("slurm", "#SBATCH --requeue"),
  ])
  func itPrintsWhatPlugsItIn(trainer: String, line: String) throws {
    let folder = try TemporaryFolder()
    let printed = try spectroscope("integrate", trainer)
    #expect(printed.status == 0 && printed.stderr == "" && printed.stdout.contains(line))
    let written = try spectroscope("integrate", trainer, "--out", folder.path("file"))
    #expect(written.stderr == "wrote \(folder.path("file"))\n" && written.stdout == "")
    #expect(try String(contentsOfFile: folder.path("file"), encoding: .utf8) == printed.stdout)
  }

  /// Whoever reads the script's first lines finds everything that is to be edited.
  @Test func theScriptForSlurmIsBash() throws {
    let folder = try TemporaryFolder()
    let script = folder.path("analyze.sbatch")
    try #require(try spectroscope("integrate", "slurm", "--out", script).status == 0)
    let syntax = try run("/bin/bash", ["-n", script])
    #expect(syntax.status == 0 && syntax.stderr == "")
    let text = try String(contentsOfFile: script, encoding: .utf8)
    for line in [
      "#SBATCH --array=0-7", "#SBATCH --cpus-per-task=4", "#SBATCH --mem=8G", "shards=${SHARDS:-8}", "run=", "base=",
      "out=", "--dependency=afterok:$job", "OPENBLAS_NUM_THREADS=${SLURM_CPUS_PER_TASK:-1}",
    ] { #expect(text.contains(line)) }
    // Outside an array, or beyond the number of shards, nothing is done.
    for task in [[:], ["SLURM_ARRAY_TASK_ID": "8"]] {
      let result = try run("/bin/bash", [script], environment: Program.environment.merging(task) { $1 })
      #expect(result.status == 64 && result.stderr.contains("expected a task of a job array 0-7"))
    }
  }

  @Test func anotherTrainerIsRefused() throws {
    let result = try spectroscope("integrate", "keras")
    #expect(result.status == 64 && result.stderr.contains("transformers") && result.stderr.contains("openrlhf"))
  }
}
