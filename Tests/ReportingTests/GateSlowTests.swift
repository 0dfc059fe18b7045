import Foundation
import Reporting
import TestSupport
import Testing

/// The gate's formats, read by other people's readers: `Tests/References/check_gate.py` says which.
@Suite(.tags(.slow), .enabled(if: slowTestsEnabled, "Set SPECTROSCOPE_SLOW_TESTS=1."))
struct GateSlowTests {
  @Test func peersReadEveryFormat() throws {
    let folder = try TemporaryFolder()
    try folder.write("gate.schema.json", GateJSON.schema)
    for (name, report) in GateSamples.all {
      for format in GateFormat.allCases {
        try folder.write("\(name)/report.\(format.rawValue)", format.text(of: report))
      }
    }
    let python = ProcessInfo.processInfo.environment["SPECTROSCOPE_PYTHON"] ?? "python3"
    let script = repositoryRoot + "/Tests/References/check_gate.py"
    let checked = try run("/usr/bin/env", [python, "-W", "error", script, folder.path])
    #expect(checked.status == 0, "\(checked.stderr)")
    print(checked.stdout)
    #expect(checked.stdout.split(separator: "\n").count == GateSamples.all.count * 5)
  }
}
