import Diagnosis
import Foundation
import Measurement
import RunStore
import TestSupport
import Testing

/// The whole of SmolLM2-135M, 210 modules at three checkpoints, with a PEFT series that is made on it on the spot.
@Suite(.tags(.slow), .enabled(if: slowTestsEnabled, "Set SPECTROSCOPE_SLOW_TESTS=1."))
struct SlowTests {
  @Test func wholeModelAgrees() throws {
    let temporary = try TemporaryFolder()
    let environment = ProcessInfo.processInfo.environment
    // Making the model takes minutes; a folder that was made before may be named.
    let folder = environment["SPECTROSCOPE_SMOLLM2"] ?? temporary.path("smollm2")
    if environment["SPECTROSCOPE_SMOLLM2"] == nil {
      let python = environment["SPECTROSCOPE_PYTHON"] ?? "python3"
      let made = try run(
        "/usr/bin/env", [python, repositoryRoot + "/Tests/References/make_smollm2.py", "--out", folder])
      try #require(made.status == 0, "\(made.stderr)")
    }
    let options = MeasurementOptions(
      source: folder + "/run", base: folder + "/base", jobs: 2, output: temporary.path("analysis.h5"))
    let plan = try MeasurementPlan(options)
    #expect(plan.coverage == "210/210 modules")
    let outcome = try plan.run(options)
    #expect(outcome.damaged == 0)
    // A healthy adapter of a real model, though its stable rank is near 1.
    let verdict = outcome.analysis.verdict(records: nil)
    #expect(verdict.alerts.isEmpty && verdict.warnings.isEmpty, "\(verdict.findings)")
    let comparison = ReferenceComparison(analysis: outcome.analysis, isRecomputed: false)
    try comparison.checkModules(folder + "/expected.modules.csv")
    try comparison.checkSingularValues(folder + "/expected.singular_values.csv")
  }
}
