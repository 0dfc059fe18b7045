import Foundation
import LinearAlgebra
import OrderedCollections
import RunStore
import TestSupport
import Testing
import Weights

/// `kill -9` at random moments, again and again. The moments follow from a seed, up to how fast the machine is; SPECTROSCOPE_SEED repeats one.
@Suite(.tags(.slow), .serialized, .enabled(if: slowTestsEnabled, "Set SPECTROSCOPE_SLOW_TESTS=1."))
struct KillSlowTests {
  private let folder = try! TemporaryFolder()
  private var files: FileManager { .default }

  private static let base = repositoryRoot + "/Sources/CBase/model"
  private static let seed =
    ProcessInfo.processInfo.environment["SPECTROSCOPE_SEED"].flatMap { UInt64($0) } ?? .random(in: 0..<1_000_000)

  private func text(_ path: String) -> String { (try? String(contentsOfFile: path, encoding: .utf8)) ?? "" }

  /// The whole lines of a file of JSON objects.
  private func objects(_ path: String) throws -> [JSONValue] {
    let lines = text(path).split(separator: "\n", omittingEmptySubsequences: false).dropLast()
    return try lines.map { try JSONValue(parsing: Array($0.utf8)) }
  }

  private func counts(_ names: some Sequence<String>) -> [String: Int] {
    Dictionary(names.map { ($0, 1) }, uniquingKeysWith: +)
  }

  /// The tables of an analysis.
  private func tables(_ analysis: String) throws -> [String: String] {
    let out = folder.path("csv-\(UUID().uuidString)")
    let result = try spectroscope("export", analysis, "--format", "csv", "--out", out, "--quiet")
    try #require(result.status == 0, "\(result.stderr)")
    return Dictionary(
      uniqueKeysWithValues: try files.contentsOfDirectory(atPath: out).map { ($0, text(out + "/" + $0)) })
  }

  // MARK: - The watcher

  /// A run that grows in a folder, of which the trainer keeps two checkpoints, and somebody who watches it.
  private struct Watched {
    let path: String
    let policy: String
    let server: AlertServer
    /// What the command, and whoever reads standard output, were told.
    var told: String { path + "-told" }
    var printed: String { path + "-printed" }
    var state: String { path + "/.spectroscope" }

    var arguments: [String] {
      [
        "watch", path, "--base", KillSlowTests.base, "--basis", path + "-basis", "--interval", "0.1", "--policy",
        policy,
        "--quiet", "--stop-file", path + "-stop", "--on-alert", "echo \"$SPECTROSCOPE_ID\" >> '\(told)'",
        "--webhook", "http://127.0.0.1:\(server.port)/x",
      ]
    }
  }

  private static let receivers = ["standard output", "command", "webhook at 127.0.0.1"]

  private func watched(_ name: String) throws -> Watched {
    try files.createDirectory(atPath: folder.path(name), withIntermediateDirectories: true)
    let policy = try folder.write("policy.yaml", "version: 1\nfail-on: warning\n")
    return Watched(path: folder.path(name), policy: policy, server: try AlertServer(status: 200))
  }

  private static let steps = Array(stride(from: 5, through: 50, by: 5))

  /// A checkpoint appears as a whole, and those that were measured and are neither of the last two go.
  private func arrive(_ step: Int, in run: Watched) throws {
    try files.copyItem(
      atPath: "\(ReferenceCase.folder)/diagnosis/blow-up/checkpoint-\(step)", toPath: folder.path("arriving"))
    try files.moveItem(atPath: folder.path("arriving"), toPath: "\(run.path)/checkpoint-\(step)")
    for earlier in try measured(run) where earlier < step - 5 {
      try? files.removeItem(atPath: "\(run.path)/checkpoint-\(earlier)")
    }
  }

  private func measured(_ run: Watched) throws -> [Int] {
    text(run.state + "/analysis.h5.pieces").split(separator: "\n").compactMap {
      (try? JSONValue(parsing: Array($0.utf8)))?["measured"]?.int
    }
  }

  /// The alerts that were raised, and those that are known to have reached each receiver.
  private func alerts(_ run: Watched) throws -> (raised: [String], delivered: [String: Set<String>]) {
    var (raised, delivered): ([String], [String: Set<String>]) = ([], [:])
    for line in try objects(run.state + "/alerts.jsonl") {
      if let id = line["id"]?.string { raised.append(id) }
      if let id = line["delivered"]?.string { delivered[line["to"]!.string!, default: []].insert(id) }
    }
    return (raised, delivered)
  }

  /// How often each receiver was told of each alert.
  private func tellings(_ run: Watched) throws -> [String: [String: Int]] {
    let ids = try Dictionary(alerts(run).raised.map { (String($0.split(separator: "-")[1]), $0) }) { $1 }
    let printed = text(run.printed).split(separator: "\n").map { line in
      ids[line.split(separator: " ").dropFirst().first.map(String.init) ?? ""] ?? String(line)
    }
    // One that was cut short by a kill has told nothing.
    let posted = run.server.bodies.compactMap { try? JSONValue(parsing: Array($0.utf8))["id"]?.string }
    let told = text(run.told).split(separator: "\n").map(String.init)
    return Dictionary(uniqueKeysWithValues: zip(Self.receivers, [counts(printed), counts(told), counts(posted)]))
  }

  /// Ends with a watcher that looks once and is left alone.
  private func finish(_ run: Watched) throws {
    let last = try Child(Program.path, run.arguments + ["--once"], output: run.printed)
    #expect(last.status(within: 60) == 1)
  }

  /// Kills a watcher that has just been started: anywhere in its course, or soon after it has first written something.
  ///
  /// - Returns: whether it was still there.
  private func killOnce(_ run: Watched, _ numbers: inout SeededGenerator) throws -> Bool {
    let watcher = try Child(Program.path, run.arguments, output: run.printed)
    func written() -> Int {
      ["analysis.h5.pieces", "alerts.jsonl"].reduce(0) { sum, name in
        sum + ((try? files.attributesOfItem(atPath: run.state + "/" + name))?[.size] as? Int ?? 0)
      }
    }
    if Bool.random(using: &numbers) {
      let before = written()
      wait(0.5) { written() != before }
      usleep(.random(in: 0..<60_000, using: &numbers))
    } else {
      usleep(.random(in: 0..<400_000, using: &numbers))
    }
    watcher.killNow()
    return watcher.status(within: 0) == SIGKILL
  }

  /// Nothing that was measured is lost, every alert reaches everybody, and nobody twice, but for what was on its way at the moment of a kill.
  @Test func aWatcherThatIsKilledLosesNothingAndTellsOnce() throws {
    print("seed \(Self.seed)")
    let source = ReferenceCase.folder + "/diagnosis/blow-up"
    let analysed = try spectroscope(
      "analyze", source, "--base", Self.base, "--depth", "update", "--quiet", "--out", folder.path("whole.h5"))
    try #require(analysed.status == 0, "\(analysed.stderr)")
    let whole = try tables(folder.path("whole.h5"))
    // What a watcher tells that looks at each checkpoint and is never killed.
    let calm = try watched("calm")
    for step in Self.steps {
      try arrive(step, in: calm)
      let look = try Child(Program.path, calm.arguments + ["--once"], output: calm.printed)
      #expect([1, 2].contains(look.status(within: 60)))
    }
    let raised = try alerts(calm).raised
    #expect(raised.count == 2)
    #expect(try tellings(calm) == Dictionary(uniqueKeysWithValues: Self.receivers.map { ($0, counts(raised)) }))

    var numbers = SeededGenerator(seed: Self.seed)
    var (kills, onTheWay, repeated) = (0, 0, 0)
    for round in 0..<4 {
      let run = try watched("run-\(round)")
      /// How often an alert may have been on its way to a receiver when its watcher was killed.
      var chances: [String: [String: Int]] = [:]
      for step in Self.steps {
        try arrive(step, in: run)
        // The checkpoint of step 35 is the first to be alerted of.
        for _ in 0..<(step == 35 ? 8 : 2) where try killOnce(run, &numbers) {
          kills += 1
          let (raised, delivered) = try alerts(run)
          for receiver in Self.receivers {
            for id in raised where delivered[receiver]?.contains(id) != true {
              chances[receiver, default: [:]][id, default: 0] += 1
              onTheWay += 1
            }
          }
        }
      }
      try finish(run)
      let hint: Comment = "round \(round) of SPECTROSCOPE_SEED=\(Self.seed)"
      #expect(try measured(run) == Self.steps, hint)
      let found = try tables(run.state + "/analysis.h5")
      #expect(Set(found.keys) == Set(whole.keys), hint)
      // By name alone: a table would fill the log.
      #expect(whole.keys.filter { found[$0] != whole[$0] } == [], hint)
      #expect(try alerts(run).raised == raised, hint)
      #expect(text(run.path + "-stop") == text(calm.path + "-stop") && !text(calm.path + "-stop").isEmpty, hint)
      let tellings = try tellings(run)
      for (receiver, told) in tellings {
        #expect(Set(told.keys) == Set(raised), "\(receiver): \(told), \(hint)")
        for (id, count) in told {
          let most = 1 + (chances[receiver]?[id] ?? 0)
          #expect(
            (1...most).contains(count), "\(receiver) was told of \(id) \(count) times, at most \(most) may be, \(hint)")
          repeated += count - 1
        }
      }
    }
    print(
      "\(kills) watchers killed, \(onTheWay) times with an alert on its way to somebody; \(repeated) alerts told again")
    #expect(kills >= 40)
  }

  // MARK: - Our own trainer under a gate

  /// What a run is, without times, what its gate did among it.
  private func content(_ out: String) throws -> [String] {
    func timeless(_ line: JSONValue) -> JSONValue {
      guard var object = line.object else { return line }
      object["seconds"] = nil
      if let records = object["records"]?.array { object["records"] = .array(records.map(timeless)) }
      return .object(object)
    }
    let run = try RunFolder(path: out)
    let checkpoints = try run.steps.map { try "\($0) \(run.snapshot(at: $0).sha256)" }
    let states = try files.contentsOfDirectory(atPath: out + "/resume").sorted()
    let lines = try objects(out + "/training.jsonl") + objects(out + "/interventions.jsonl")
    return checkpoints + states + lines.map { timeless($0).text() }
  }

  /// Killed again and again while its gate goes back and on, it ends as if it never had been.
  @Test(arguments: [
    ("lora", "0.018", "roll-back, divide-rate-by: 1.15"), ("adalora", "0.3", "roll-back, divide-rate-by: 1.5"),
    ("pissa", "0.0026", "refuse"),
  ])
  func aGatedRunThatIsKilledEndsAsIfItNeverHadBeen(method: String, rate: String, action: String) throws {
    print("seed \(Self.seed)")
    let policy = try folder.write(
      "policy.yaml", "version: 1\ntraining: {action: \(action), at-most: 9}\n")
    func arguments(_ out: String) -> [String] {
      [
        "train", "--out", out, "--method", method, "--learning-rate", rate, "--steps", "40", "--checkpoint-every", "3",
        "--gate", policy, "--quiet",
      ]
    }
    func said(_ text: String) -> [String] {
      text.split(separator: "\n").map(String.init).filter { $0.hasPrefix("the gate ") }
    }
    let whole = folder.path("whole")
    let calm = try Child(Program.path, arguments(whole), output: whole + "-said")
    try #require(calm.status(within: 100) == 0, "\(calm.output)")
    let expected = try content(whole)
    let deeds = said(calm.output)
    // Else there would be nothing to lose.
    try #require(deeds.count >= (action == "refuse" ? 1 : 3))
    #expect(try objects(whole + "/interventions.jsonl").count == deeds.count)

    var numbers = SeededGenerator(seed: Self.seed)
    var (kills, again) = (0, 0)
    for round in 0..<2 {
      let out = folder.path("killed-\(round)")
      let hint: Comment = "\(method), round \(round) of SPECTROSCOPE_SEED=\(Self.seed)"
      var (status, output, most) = (Int32?.none, "", 0.3)
      while status == nil {
        let trainer = try Child(Program.path, arguments(out) + ["--resume"], output: out + "-said")
        // Ever longer, or it would never get anywhere where its gate goes back to the start.
        status = trainer.status(within: .random(in: 0.01..<most, using: &numbers))
        if status == nil {
          trainer.killNow()
          (kills, most) = (kills + 1, most * 1.05)
        }
        output = trainer.output
      }
      #expect(status == 0, "\(output.suffix(500)), \(hint)")
      let found = try content(out)
      #expect(zip(found, expected).first { $0 != $1 }.map { "\($0)" } == nil && found.count == expected.count, hint)
      // What a kill has undone is done and said again.
      let told = counts(said(output))
      #expect(Set(told.keys) == Set(deeds), hint)
      again += told.values.reduce(0, +) - told.count
    }
    print("\(method): \(kills) trainers killed over \(deeds.count) interventions; \(again) of them done and said again")
    #expect(kills >= 10)
  }
}
