import Foundation
import OrderedCollections
import TestSupport
import Testing
import Weights

/// `watch` beside a real trainer, what it costs, and what it writes as a real reader sees it.
@Suite(.tags(.slow), .serialized, .enabled(if: slowTestsEnabled, "Set SPECTROSCOPE_SLOW_TESTS=1."))
struct WatchSlowTests {
  private let folder = try! TemporaryFolder()
  private var files: FileManager { .default }

  private static let base = repositoryRoot + "/Sources/CBase/model"
  private static let python = ProcessInfo.processInfo.environment["SPECTROSCOPE_PYTHON"] ?? "python3"

  private func lines(_ name: String) -> [String] {
    ((try? String(contentsOfFile: folder.path(name), encoding: .utf8)) ?? "").split(separator: "\n").map(String.init)
  }

  // MARK: Beside TRL's GRPOTrainer

  /// Trains as check_watch.py does, under the eyes of a watcher, until the trainer ends and all that it wrote is measured.
  private func followed(obeying stopFile: String) throws -> JSONValue {
    try files.createDirectory(atPath: folder.path("run"), withIntermediateDirectories: true)
    let watcher = try Child(
      Program.path,
      [
        "watch", folder.path("run"), "--base", Self.base, "--interval", "0.1", "--jobs", "1", "--quiet", "--stop-file",
        folder.path("stop"), "--on-alert", "echo \"$SPECTROSCOPE_ID\" >> \(folder.path("told"))",
      ], output: folder.path("alerts"))
    let script = ReferenceCase.folder + "/check_watch.py"
    let trainer = try Child(
      "/usr/bin/env", [Self.python, script, folder.path, Self.base, stopFile, "--rate", "2e-2", "--steps", "12"],
      output: folder.path("trained"))
    let status = try #require(trainer.status(within: 300))
    try #require(status == 0, "\(trainer.output)")
    let outcome = try JSONValue(contentsOf: folder.path("outcome.json"))
    wait(20) { measured().last == outcome["steps"]?.int }
    // An interruption is its usual end, and waits for the command.
    watcher.send(SIGTERM)
    #expect(watcher.status(within: 30) == 0)
    return outcome
  }

  /// The checkpoints that the watcher has measured.
  private func measured() -> [Int] {
    lines("run/.spectroscope/analysis.h5.pieces").compactMap {
      (try? JSONValue(parsing: Array($0.utf8)))?["measured"]?.int
    }
  }

  private func rewards(_ run: JSONValue) -> [Double] { run["rewards"]!.array!.compactMap(\.double) }

  /// Each rule has alerted once, in print and by the command, beginning with the velocity, which tells first.
  private func expectAlertsOnce() {
    let codes = lines("alerts").map { $0.split(separator: " ").dropFirst().first.map(String.init) ?? $0 }
    #expect(lines("alerts").first?.hasPrefix("alert SP201 update-velocity: step ") == true, "\(lines("alerts"))")
    #expect(Set(codes).count == codes.count, "\(codes)")
    #expect(lines("told").compactMap { $0.split(separator: "-").dropFirst().first.map(String.init) } == codes)
  }

  @Test func aCollapsingRunIsStoppedFromOutsideBeforeItsRewardHasFallen() throws {
    let run = try followed(obeying: folder.path("stop"))
    let steps = try #require(run["steps"]?.int)
    print(
      "stopped from outside behind step \(steps), rewards \(rewards(run)), seconds a step \(run["seconds"]!.text())")
    #expect((1...3).contains(steps))
    #expect(rewards(run).count == steps && rewards(run).allSatisfy { $0 > 0.3 })
    #expect(lines("stop").first?.hasPrefix("SP201 update-velocity: step ") == true)
    #expect(measured() == Array(1...steps))
    expectAlertsOnce()
  }

  /// A trainer that does not look for the stop file: its reward falls to nothing. All its checkpoints are measured, although it keeps two.
  @Test func aRunThatDeletesItsCheckpointsIsFollowedToItsEnd() throws {
    let run = try followed(obeying: folder.path("another"))
    print("went on, rewards \(rewards(run)), seconds a step \(run["seconds"]!.text())")
    #expect(run["steps"]?.int == 12 && rewards(run).suffix(6).allSatisfy { $0 < 0.1 })
    #expect(run["checkpoints"]?.array?.compactMap(\.string) == ["checkpoint-11", "checkpoint-12"])
    #expect(measured() == Array(1...12))
    expectAlertsOnce()
  }

  // MARK: What it costs

  /// Processor time of a process, in seconds.
  private func processorTime(of id: pid_t) throws -> Double {
    let text = try String(contentsOfFile: "/proc/\(id)/stat", encoding: .utf8)
    // Behind the name in brackets, which may hold anything: the state is the third field, utime and stime are the 14th and 15th.
    let fields = text[text.lastIndex(of: ")")!...].split(separator: " ").dropFirst().map(String.init)
    return (Double(fields[11])! + Double(fields[12])!) / Double(sysconf(Int32(_SC_CLK_TCK)))
  }

  /// With everybody to tell, an alert that cannot be delivered, and checkpoints to look through.
  @Test func idleItCostsLittle() throws {
    try files.copyItem(atPath: ReferenceCase.folder + "/diagnosis/blow-up", toPath: folder.path("run"))
    let server = try AlertServer(status: 500)
    let watcher = try Child(
      Program.path,
      [
        "watch", folder.path("run"), "--base", Self.base, "--quiet", "--stop-file", folder.path("stop"),
        "--openmetrics", folder.path("m.prom"), "--on-alert", "exit 1", "--webhook",
        "http://127.0.0.1:\(server.port)/x",
      ], output: folder.path("alerts"))
    #expect(wait(60) { measured().last == 50 && !server.bodies.isEmpty })
    usleep(500_000)
    let (began, before) = (Date(), try processorTime(of: watcher.id))
    Thread.sleep(forTimeInterval: 31)
    let (seconds, spent) = (Date().timeIntervalSince(began), try processorTime(of: watcher.id) - before)
    print("idle, watch spent \(spent) s of \(seconds) s: \(100 * spent / seconds) % of a core")
    #expect(watcher.isRunning && spent / seconds < 0.02)
  }

  // MARK: What a monitoring system reads

  private static let hasParser =
    (try? run("/usr/bin/env", [python, "-c", "import prometheus_client.openmetrics.parser"]).status) == 0

  /// What prometheus_client reads in the file is what was measured, also where the folder has a name made to break the format.
  @Test(
    .enabled(if: hasParser, "SPECTROSCOPE_PYTHON lacks prometheus_client: pip install prometheus_client==0.26.0"),
    arguments: [
      "plain", #"a "quoted" \ back\nslash\"#, "two\nlines", "\"} 1\n# EOF\n", "ends in \\", "ümläut, {run=\"x\"} 7 # 8",
    ])
  func prometheusReadsIt(name: String) throws {
    let path = folder.path(name)
    try files.createDirectory(atPath: path, withIntermediateDirectories: true)
    for step in [5, 30, 35] {
      let checkpoint = "\(ReferenceCase.folder)/diagnosis/blow-up/checkpoint-\(step)"
      try files.copyItem(atPath: checkpoint, toPath: "\(path)/checkpoint-\(step)")
    }
    let watched = try spectroscope(
      "watch", path, "--base", Self.base, "--once", "--openmetrics", folder.path("m.prom"))
    try #require(watched.status == 1, "\(watched.stderr)")
    let script = ReferenceCase.folder + "/check_openmetrics.py"
    let read = try run("/usr/bin/env", [Self.python, "-W", "error", script, folder.path("m.prom")])
    try #require(read.status == 0, "\(read.stderr)")
    let families = try #require(try JSONValue(parsing: Array(read.stdout.utf8)).object)
    func samples(_ family: String) -> [JSONValue] { families["spectroscope_" + family]?["samples"]?.array ?? [] }
    for (family, content) in families {
      #expect(content["type"]?.string == (family == "spectroscope_outcome" ? "stateset" : "gauge"))
      #expect(content["help"]?.string?.isEmpty == false)
      #expect(
        content["samples"]?.array?.allSatisfy { $0["labels"]?["run"]?.string == path } == true, "\(content.text())")
    }
    #expect(samples("last_checkpoint").compactMap { $0["value"]?.double } == [35])
    #expect(samples("failing_findings").compactMap { $0["value"]?.double } == [1])
    let outcomes = samples("outcome").map { ($0["labels"]!["spectroscope_outcome"]!.string!, $0["value"]!.double!) }
    #expect(Dictionary(uniqueKeysWithValues: outcomes) == ["healthy": 0, "alert": 1, "inconclusive": 0])
    // The numbers are those of the analysis, to the last digit.
    let csv = folder.path("csv")
    let analysis = path + "/.spectroscope/analysis.h5"
    try #require(try spectroscope("export", analysis, "--format", "csv", "--out", csv, "--quiet").status == 0)
    let rows = try CSVTable(path: csv + "/modules.csv").rows.filter { $0["step"] == "35" && $0["delta"] == "init" }
    let ranks = rows.compactMap { Double($0["effective_rank"]!) }.sorted()
    try #require(ranks.count.isMultiple(of: 2) && ranks.count > 0)
    let median = (ranks[ranks.count / 2 - 1] + ranks[ranks.count / 2]) / 2
    #expect(samples("effective_rank").compactMap { $0["value"]?.double } == [median])
  }
}
