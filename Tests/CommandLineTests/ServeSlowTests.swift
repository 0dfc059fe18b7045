import Foundation
import TestSupport
import Testing

/// The live page in a browser: `Tests/References/check_serve.mjs` opens it while a run goes on. Needs Chromium and Node.
@Suite(.tags(.slow), .enabled(if: slowTestsEnabled, "Set SPECTROSCOPE_SLOW_TESTS=1."))
struct ServeSlowTests {
  @Test func aBrowserFollowsARun() throws {
    let folder = try TemporaryFolder()
    let out = folder.path("run")
    try FileManager.default.createDirectory(atPath: out, withIntermediateDirectories: true)
    let script = repositoryRoot + "/Tests/References/check_serve.mjs"
    let screenshots = ProcessInfo.processInfo.environment["SPECTROSCOPE_SCREENSHOTS"].map { [$0] } ?? []
    let checked = try run("/usr/bin/env", ["node", script, Program.path, out] + screenshots)
    print(checked.stdout)
    #expect(checked.status == 0, "\(checked.stderr)")
  }
}
