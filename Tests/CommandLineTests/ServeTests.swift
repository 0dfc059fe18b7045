import Foundation
import TestSupport
import Testing

/// `serve` as browsers meet it: a run that goes on, readers of all kinds, and pages of others.
@Suite struct ServeTests {
  private let folder = try! TemporaryFolder()

  /// A server that ends with the test.
  private final class Server {
    let process = Process()
    let port: Int
    var host: String { "localhost:\(port)" }

    init(_ files: String..., depth: String = "auto") throws {
      process.executableURL = URL(fileURLWithPath: Program.path)
      process.arguments = ["serve"] + files + ["--port", "0", "--interval", "0.1", "--depth", depth]
      process.environment = Program.environment
      let output = Pipe()
      (process.standardOutput, process.standardError) = (output, FileHandle.nullDevice)
      try runAcceptingSignals(process)
      let line = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
      let found = try #require(line.wholeMatch(of: /http:\/\/localhost:([0-9]+)\/\n/), "\(line)")
      self.port = try #require(Int(found.1))
    }

    deinit { kill(process.processIdentifier, SIGKILL) }

    func page(_ address: String = "127.0.0.1") throws -> String {
      try PageClient(address, port: port).answer(host: host).body
    }

    /// Waits for a page that is as wished; the last one where none is.
    func page(where isWished: (String) -> Bool) throws -> String {
      let end = Date() + 30
      while true {
        let page = try page()
        if isWished(page) || Date() > end { return page }
        usleep(50_000)
      }
    }
  }

  private func train(_ steps: Int, _ others: String...) throws -> String {
    let out = folder.path("run")
    let arguments = ["train", "--out", out, "--steps", "\(steps)", "--checkpoint-every", "2", "--quiet"] + others
    let result = try run(Program.path, arguments, environment: Program.environment)
    try #require(result.status == 0, "\(result.stderr)")
    return out
  }

  @Test func itShowsARunOnBothLoopbacks() throws {
    let out = try train(4)
    let server = try Server(out)
    let page = try server.page { $0.contains("\"steps\":[0,2,4]") }
    #expect(page.contains("\"steps\":[0,2,4]") && page.contains("<h1>run</h1>"))
    #expect(try server.page("::1") == server.page())
    // Nothing was written beside the run.
    #expect(!FileManager.default.fileExists(atPath: out + "/analysis.h5"))
    // An interruption is its usual end.
    kill(server.process.processIdentifier, SIGTERM)
    let end = Date() + 20
    while server.process.isRunning, Date() < end { usleep(20_000) }
    #expect(!server.process.isRunning && server.process.terminationStatus == 0)
  }

  /// Two readers see a run grow that is resumed while they look, and its end.
  @Test func readersAreToldOfWhatIsNew() throws {
    let out = folder.path("run")
    let server: Server
    let trainer = Process()
    trainer.executableURL = URL(fileURLWithPath: Program.path)
    trainer.arguments = ["train", "--out", out, "--steps", "30", "--checkpoint-every", "5", "--quiet"]
    trainer.environment = Program.environment
    (trainer.standardOutput, trainer.standardError) = (FileHandle.nullDevice, FileHandle.nullDevice)
    try FileManager.default.createDirectory(atPath: out, withIntermediateDirectories: true)
    server = try Server(out)
    #expect(try server.page().contains("Nothing to show yet"))
    let readers = try ["127.0.0.1", "::1"].map { try PageClient($0, port: server.port) }
    for reader in readers { reader.send("GET /events HTTP/1.1\r\nHost: \(server.host)\r\n\r\n") }
    try runAcceptingSignals(trainer)
    defer { kill(trainer.processIdentifier, SIGKILL) }
    for reader in readers {
      let text = reader.read { $0.contains("step 30 of 30, ended") }
      #expect(text.contains("Content-Type: text/event-stream") && text.contains("event: page\ndata: "))
      #expect(text.contains("event: status\ndata: step 30 of 30, ended\n\n"), "\(text)")
    }
    #expect(try server.page { $0.contains("\"steps\":[0,5,10,15,20,25,30]") }.contains("25,30]"))
  }

  /// A run that dies leaves the page as it was; one that is damaged says so, and the page stays.
  @Test func aRunThatCannotBeReadLeavesThePage() throws {
    let out = try train(4)
    let server = try Server(out)
    let whole = try server.page { $0.contains("\"steps\":[0,2,4]") }
    let reader = try PageClient(port: server.port)
    reader.send("GET /events HTTP/1.1\r\nHost: \(server.host)\r\n\r\n")
    let records = out + "/training.jsonl"
    let text = try String(contentsOfFile: records, encoding: .utf8)
    try ("damage\n" + text).write(toFile: records, atomically: true, encoding: .utf8)
    #expect(reader.read { $0.contains("Not up to date: ") }.contains("training.jsonl"))
    #expect(try server.page() == whole)
    try text.write(toFile: records, atomically: true, encoding: .utf8)
    #expect(reader.read { $0.contains("step 4 of 4") }.contains("step 4 of 4, ended"))
  }

  /// A run whose process is killed stays on the page as far as it came, and is said to be silent once it has been so for long.
  @Test func aRunThatDiesIsShownAsFarAsItCame() throws {
    let out = folder.path("run")
    try FileManager.default.createDirectory(atPath: out, withIntermediateDirectories: true)
    let server = try Server(out)
    let trainer = Process()
    trainer.executableURL = URL(fileURLWithPath: Program.path)
    trainer.arguments = ["train", "--out", out, "--steps", "100000", "--checkpoint-every", "2", "--quiet"]
    trainer.environment = Program.environment
    (trainer.standardOutput, trainer.standardError) = (FileHandle.nullDevice, FileHandle.nullDevice)
    try runAcceptingSignals(trainer)
    _ = try server.page { $0.contains("\"steps\":[0,2,4") }
    kill(trainer.processIdentifier, SIGKILL)
    trainer.waitUntilExit()
    let names = try FileManager.default.contentsOfDirectory(atPath: out + "/checkpoints")
    let last = try #require(names.filter { $0.hasSuffix(".h5") }.compactMap { Int($0.dropLast(3)) }.max())
    #expect(try server.page { $0.contains(",\(last)]") }.contains(",\(last)]"))
    let reader = try PageClient(port: server.port)
    reader.send("GET /events HTTP/1.1\r\nHost: \(server.host)\r\n\r\n")
    #expect(reader.read { $0.contains("going on") }.contains("of 100000, going on"))
    let longAgo = Date(timeIntervalSinceNow: -7200)
    try FileManager.default.setAttributes([.modificationDate: longAgo], ofItemAtPath: out + "/training.jsonl")
    #expect(reader.read { $0.contains("no record since") }.contains("of 100000, no record since"))
  }

  /// An analysis that is made meanwhile takes the place of what was measured here.
  @Test func aDeeperAnalysisIsTaken() throws {
    let out = try train(4)
    let server = try Server(out, depth: "update")
    let page = try server.page { $0.contains("\"steps\":[0,2,4]") }
    #expect(page.contains("<dt>Depth</dt><dd>update</dd>"))
    try #require(try spectroscope("analyze", out, "--depth", "full", "--quiet").status == 0)
    #expect(try server.page { $0.contains("<dd>full</dd>") }.contains("<dd>full</dd>"))
  }

  /// A folder of lab shows what is analysed, and every run on the map of rates; a watched folder shows the watcher's analysis.
  @Test func itShowsFoldersOfRuns() throws {
    let lab = folder.path("lab")
    let arguments = [
      "lab", "--methods", "lora", "--learning-rates", "1e-3,1e-2", "--seeds", "0", "--steps", "2", "--out", lab,
      "--quiet",
    ]
    try #require(try run(Program.path, arguments, environment: Program.environment).status == 0)
    let server = try Server(lab)
    #expect(try server.page { $0.contains("<h1>A grid of runs</h1>") }.contains("<h1>A grid of runs</h1>"))
    // As `report` does, it names what is not analysed.
    #expect(try server.page().contains("<code>spectroscope analyze \(lab)/lora-lr0.001-seed0</code>"))
    let first = try #require(
      try FileManager.default.contentsOfDirectory(atPath: lab).filter { $0.hasPrefix("lora") }.min())
    try #require(try spectroscope("analyze", lab + "/" + first, "--quiet").status == 0)
    #expect(try server.page { $0.contains("<h1>\(first)</h1>") }.contains("<h1>\(first)</h1>"))
    let watched = folder.path("watched")
    try FileManager.default.createDirectory(atPath: watched, withIntermediateDirectories: true)
    let blowUp = ReferenceCase.folder + "/diagnosis/blow-up/checkpoint-"
    try FileManager.default.copyItem(atPath: blowUp + "5", toPath: watched + "/checkpoint-5")
    let base = repositoryRoot + "/Sources/CBase/model"
    try #require(try spectroscope("watch", watched, "--base", base, "--once", "--quiet").status == 2)
    let other = try Server(watched)
    #expect(try other.page { $0.contains("\"steps\":[5]") }.contains("<h1>watched</h1>"))
    try FileManager.default.copyItem(atPath: blowUp + "10", toPath: watched + "/checkpoint-10")
    try #require(try spectroscope("watch", watched, "--base", base, "--once", "--quiet").status == 2)
    #expect(try other.page { $0.contains("\"steps\":[5,10]") }.contains("\"steps\":[5,10]"))
  }

  /// Readers that take nothing, say nothing, or say nonsense do not keep others waiting.
  @Test func slowAndBrokenReadersHoldUpNobody() throws {
    let server = try Server(try train(4))
    _ = try server.page { $0.contains("\"steps\":[0,2,4]") }
    let slow = try (0..<30).map { index in
      let client = try PageClient(port: server.port)
      let path = index.isMultiple(of: 2) ? "/" : "/events"
      // Many requests at once, and no answer is ever read.
      client.send(String(repeating: "GET \(path) HTTP/1.1\r\nHost: \(server.host)\r\n\r\n", count: 20))
      return client
    }
    let silent = try (0..<30).map { _ in try PageClient(port: server.port) }
    for text in ["\u{0}\u{1}\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9\r\nContent-Length: -1\r\n\r\n"] {
      let client = try PageClient(port: server.port)
      client.send(text)
      _ = client.read { _ in false }
    }
    let began = Date()
    #expect(try server.page().contains("<h1>run</h1>"))
    #expect(Date().timeIntervalSince(began) < 5 && server.process.isRunning)
    withExtendedLifetime((slow, silent)) {}
  }

  /// Pages of others cannot ask for it, nor other names that lead here; and it only ever answers.
  @Test func othersGetNothing() throws {
    let server = try Server(try train(2))
    func status(_ method: String = "GET", _ path: String = "/", host: String? = nil, _ headers: String...) throws -> Int
    {
      try PageClient(port: server.port).answer(method, path, host: host ?? server.host, headers: headers).status
    }
    for host in ["localhost:\(server.port)", "127.0.0.1:\(server.port)", "[::1]:\(server.port)"] {
      #expect(try status(host: host) == 200)
      #expect(try status("GET", "/", host: host, "Origin: http://\(host)") == 200)
    }
    for host in [
      "evil.example:\(server.port)", "localhost", "localhost:1", "", "localhost.evil.example:\(server.port)",
    ] {
      #expect(try status(host: host) == 403)
      #expect(try status("GET", "/events", host: host) == 403)
    }
    #expect(try status("GET", "/", "Origin: http://evil.example") == 403)
    #expect(try status("GET", "/", "Origin: null") == 403)
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] { #expect(try status(method) == 405) }
    for path in ["/etc/passwd", "/../../etc/passwd", "/run/training.jsonl", "/%2e%2e/", "//"] {
      #expect(try status("GET", path) == 404)
    }
    let answer = try PageClient(port: server.port).answer(host: server.host)
    for line in ["Cache-Control: no-store", "X-Content-Type-Options: nosniff", "X-Frame-Options: DENY"] {
      #expect(answer.head.contains(line))
    }
    #expect(answer.body.contains("connect-src &#39;self&#39;") || answer.body.contains("connect-src 'self'"))
  }

  @Test func mistakesAreSaid() throws {
    let missing = try spectroscope("serve", folder.path("none"))
    #expect(missing.status == 66 && missing.stderr.contains("no such file or folder"))
    let server = try Server(try train(2))
    let taken = try spectroscope("serve", folder.path("run"), "--port", "\(server.port)")
    #expect(taken.status == 73)
    #expect(
      taken.stderr
        == "Error: 127.0.0.1, port \(server.port): cannot be listened on: Address already in use. Name another --port, or 0 for any that is free\n"
    )
    #expect(try spectroscope("serve", folder.path("run"), "--interval", "0").status == 64)
  }
}
