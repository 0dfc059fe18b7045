import Adapters
import Diagnosis
import Foundation
import Measurement
import RunStore
import Spectra
import TestSupport
import Testing
import Weights

/// Series with something odd along the way.
@Suite struct SeriesTests {
  private let run: SyntheticRun
  private let first = SyntheticRun.modules[0]
  private let second = SyntheticRun.modules[1]

  init() throws { run = try SyntheticRun() }

  @Test func aCheckpointZeroStandsForTheInitialAdapter() throws {
    let folder = try TemporaryFolder()
    let reference = ReferenceCase.named("continued-initial")
    for step in ["5", "10", "20"] {
      try FileManager.default.copyItem(
        atPath: reference.source + "/checkpoint-" + step, toPath: folder.path("checkpoint-" + step))
    }
    try FileManager.default.copyItem(
      atPath: try #require(reference.initial), toPath: folder.path("checkpoint-0"))
    let options = MeasurementOptions(
      source: folder.path, base: reference.base, output: folder.path("analysis.h5"))
    let outcome = try MeasurementPlan(options).run(options)
    #expect(outcome.damaged == 0)
    let comparison = ReferenceComparison(analysis: outcome.analysis, isRecomputed: false)
    try comparison.checkModules(reference)
    try comparison.checkSingularValues(reference.singularValuesTable)
  }

  @Test func afterADamagedTensorTheLastGoodCheckpointIsCompared() throws {
    try run.write(step: 5)
    try run.write(step: 20)
    let without = try run.measure(output: "without.h5")
    try run.write(step: 10, broken: first)
    let outcome = try run.measure()
    #expect(outcome.damaged == 1)
    let analysis = outcome.analysis
    for delta in [Delta.initial, .pretrained, .previous] {
      #expect(analysis.row(10, first, delta) == nil)
      #expect(analysis.row(10, second, delta) != nil)
      #expect(analysis.row(20, first, delta) == without.analysis.row(20, first, delta))
    }
    let previous = try #require(analysis.row(20, first, .previous)).metrics
    #expect(previous[.updateVelocity] == previous[.relativeNorm]! / 15)
    let other = try #require(analysis.row(20, second, .previous)).metrics
    #expect(other[.updateVelocity] == other[.relativeNorm]! / 10)

    let finding = try #require(analysis.findings("SP104").first)
    #expect(analysis.findings("SP104").count == 1)
    #expect(finding.severity == .alert && finding.step == 10 && finding.module == first)
    #expect(finding.message.contains("checkpoint-10") && finding.message.contains(first + ".lora_A.weight"))
  }

  @Test func aCheckpointThatCannotBeOpenedIsLeftOut() throws {
    for step in [5, 20] { try run.write(step: step) }
    let without = try run.measure(output: "without.h5").analysis
    try run.write(step: 10)
    try run.folder.write("run/checkpoint-10/adapter_model.safetensors", "torn")
    let outcome = try run.measure()
    #expect(outcome.damaged == 1)
    #expect(outcome.analysis.rows.map(\.singularValues) == without.rows.map(\.singularValues))
    #expect(outcome.analysis.findings("SP110").map(\.step) == [10])
  }

  @Test(arguments: [(3, "SP210"), (4, "SP210"), (1, "SP210")]) func aChangedRankIsMarked(rank: Int, code: String) throws
  {
    try run.write(step: 5)
    try run.write(step: 10, rank: rank, alpha: 2 * Double(rank))
    let analysis = try run.measure().analysis
    let finding = try #require(analysis.findings(code).first)
    #expect(analysis.findings.count == 1)
    #expect(finding.step == 10 && finding.value == Double(rank))
    #expect(finding.message.contains("from 2 to \(rank)"))
    // The difference of two ranks is still a difference.
    #expect(analysis.row(10, first, .previous)?.singularValues.count == 2 + rank)
  }

  @Test func aChangedScalingIsMarked() throws {
    try run.write(step: 5)
    try run.write(step: 10, alpha: 6)
    let analysis = try run.measure().analysis
    #expect(analysis.findings.map(\.code) == ["SP210"])
    #expect(analysis.findings[0].message.contains("from 2.0 to 3.0"))
  }

  @Test func anAlphaOfZeroIsAnAlertAndItsUpdatesAreZero() throws {
    try run.write(step: 5, alpha: 0)
    let analysis = try run.measure().analysis
    #expect(analysis.findings.map(\.code).sorted() == ["SP105", "SP505"])
    let alpha = try #require(analysis.findings("SP105").first)
    #expect(alpha.severity == .alert && alpha.name == "alpha-is-zero" && alpha.step == 5 && alpha.value == 0)
    #expect(alpha.message.contains("2 of 2 modules"))
    #expect(analysis.findings("SP505").first?.value == 2)
    for row in analysis.rows {
      #expect(row.metrics[.frobeniusNorm] == 0 && row.metrics[.relativeNorm] == 0 && row.metrics[.roundingFloor] == 0)
      #expect(row.metrics[.stableRank] == nil && row.metrics[.numericalRank] == nil)
    }
  }

  /// LoftQ, like every start that changes the base, leaves W_eff(0) − W₀ unknown; a random start leaves W₀ as it is.
  @Test(arguments: [
    ("\"loftq\"", [Delta.previous]), ("\"olora\"", [.previous]), ("\"corda\"", [.previous]),
    ("\"lora_ga\"", [.previous]), ("\"pissa_niter_4\"", [.previous]), ("false", [.pretrained, .previous]),
  ])
  func anUnknownStartLeavesOutWhatCannotBeKnown(start: String, deltas: [Delta]) throws {
    for step in [5, 10] { try run.write(step: step, fields: #", "init_lora_weights": \#(start)"#) }
    let analysis = try run.measure().analysis
    #expect(Set(analysis.rows.map(\.delta)) == Set(deltas))
    #expect(analysis.rows.filter { $0.delta == .previous }.allSatisfy { $0.step == 10 })
    #expect(analysis.findings("SP502").count == 1)
  }
}
