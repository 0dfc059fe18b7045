import Foundation
import TestSupport
import Testing
import Weights

/// The notebooks, run from top to bottom on the data beside them.
@Suite(.tags(.slow), .enabled(if: slowTestsEnabled, "Set SPECTROSCOPE_SLOW_TESTS=1.")) struct NotebookSlowTests {
  @Test func theyRunAndSayWhatTheirTextClaims() throws {
    let python = ProcessInfo.processInfo.environment["SPECTROSCOPE_PYTHON"] ?? "python3"
    let script = ReferenceCase.folder + "/check_notebooks.py"
    let result = try run(
      "/usr/bin/env", [python, script, repositoryRoot + "/notebooks-data"], environment: Program.environment)
    try #require(result.status == 0, "\(result.stderr.suffix(2000))")
    let found = try JSONValue(parsing: Array(result.stdout.split(separator: "\n").last!.utf8))
    func text(_ name: String) throws -> String { try #require(found[name]?["text"]?.string) }
    func pictures(_ name: String) -> Int? { found[name]?["pictures"]?.int }
    // The weights spoke first, and the rank did not collapse.
    let diagnosis = try text("diagnose-a-collapsing-run")
    let lead = try #require(diagnosis.firstMatch(of: /the weights led by (-?[0-9]+) steps/))
    #expect(try #require(Int(lead.1)) > 0 && pictures("diagnose-a-collapsing-run") == 3)
    let rank = try #require(diagnosis.firstMatch(of: /rank: ([0-9.]+) at step [0-9]+, ([0-9.]+) at step/))
    #expect(Double(rank.2)! > 0.8 * Double(rank.1)!)
    #expect(pictures("spectra-of-pissa-against-lora") == 3)
    // Both matter: either one alone lets it bear several times the rate.
    let causes = try text("step-size-or-direction")
    let ratios = causes.matches(of: /bear ([0-9.]+) times/).map { Double($0.1)! }
    #expect(ratios.count == 2 && ratios.allSatisfy { $0 > 2 } && pictures("step-size-or-direction") == 2)
  }
}
