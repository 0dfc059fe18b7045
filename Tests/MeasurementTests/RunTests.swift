import Adapters
import Diagnosis
import Foundation
import Measurement
import OrderedCollections
import RunStore
import Spectra
import Synchronization
import TestSupport
import Testing
import Weights

/// A run folder of our own: the same numbers as the same adapters in PEFT's form, under the run's own names.
@Suite struct RunTests {
  private let folder: TemporaryFolder
  private let path: String

  init() throws {
    folder = try TemporaryFolder()
    path = folder.path("run")
  }

  private func options(_ reference: ReferenceCase) throws -> MeasurementOptions {
    try MeasurementOptions(run: ExtractedRun(of: path), base: reference.base, jobs: 2)
  }

  private static let cases = [
    ("rslora-initial", "rslora"), ("continued-initial", "lora"), ("pissa-f32-initial", "pissa"),
    ("pissa-bf16-initial", "pissa"), ("milora", "milora"),
  ]

  @Test(arguments: cases) func everyColumnAndSingularValueAgrees(name: String, method: String) throws {
    let reference = ReferenceCase.named(name)
    try ReferenceRun.write(reference, method: method, to: path)
    let options = try options(reference)
    #expect(options.output == path + "/analysis.h5")
    let plan = try MeasurementPlan(options)
    #expect(plan.method.rawValue == method && plan.layout == "run folder")
    let outcome = try plan.run(options)
    #expect(outcome.damaged == 0 && outcome.analysis.origin.source == path)
    #expect(try AnalysisFile.read(from: options.output).origin == outcome.analysis.origin)
    let comparison = ReferenceComparison(analysis: outcome.analysis, isRecomputed: false)
    try comparison.checkModules(reference)
    try comparison.checkSingularValues(reference.singularValuesTable)
  }

  /// Methods that leave the files of another one are known by what the run says.
  @Test(arguments: ["lora", "lora-plus", "lora-fa"]) func theMethodIsTheRuns(method: String) throws {
    let reference = ReferenceCase.named("continued-initial")
    try ReferenceRun.write(reference, method: method, to: path)
    let options = try options(reference)
    let analysis = try MeasurementPlan(options).run(options).analysis
    #expect(Set(analysis.rows.map(\.method)) == [method])
  }

  /// Full fine-tuning, of weights that go away from the base by a number of their own at every step.
  @Test func wholeWeightsAreMeasured() throws {
    let synthetic = try SyntheticRun()
    let base = synthetic.folder.path("base")
    let model = try BaseModel(path: base)
    func snapshot(_ step: Int) throws -> AdapterSnapshot {
      var snapshot = AdapterSnapshot(step: step, modules: [:])
      for module in SyntheticRun.modules {
        var values = try model.read(module + ".weight", as: Float.self)
        values[0] += Float(step) / 4
        snapshot.modules[module] = [.init(name: "weight", shape: [12, 10], values: values)]
      }
      return snapshot
    }
    let identity = RunIdentity(
      method: "full", seed: 1, task: "t", base: base, baseID: try BaseIdentity.sha256(of: model), createdBy: "test")
    let writer = try RunWriter(creating: path, identity: identity, initial: snapshot(0))
    for step in [1, 3] { try writer.write(snapshot(step)) }
    let options = try MeasurementOptions(run: ExtractedRun(of: path), base: base)
    let outcome = try MeasurementPlan(options).run(options)
    #expect(outcome.damaged == 0 && outcome.analysis.findings.isEmpty)
    for (step, delta, norm) in [(1, Delta.initial, 0.25), (3, .pretrained, 0.75), (3, .previous, 0.5)] {
      for module in SyntheticRun.modules {
        let row = try #require(outcome.analysis.row(step, module, delta))
        #expect(row.method == "full" && row.metrics[.rank] == nil && row.metrics[.numericalRank] == 1)
        // One Float32 addition, of numbers below 2: its rounding is at most 2⁻²⁴ of them.
        #expect(abs(row.metrics[.frobeniusNorm]! - norm) <= 4 * 0x1p-24)
      }
    }
  }

  // MARK: Refusals

  @Test func anotherBaseIsRefused() throws {
    let reference = ReferenceCase.named("continued-initial")
    try ReferenceRun.write(reference, method: "lora", to: path)
    let other = ReferenceCase.folder + "/bases/llama-f32"
    let run = try ExtractedRun(of: path)
    let options = try MeasurementOptions(run: run, base: other)
    let error = try #require(throws: FileError.self) { try MeasurementPlan(options) }
    let found = try BaseIdentity.sha256(of: BaseModel(path: other))
    #expect(
      error.description
        == "\(other): expected the base of \(path), with the sha256 \"\(run.identity.baseID.prefix(12))\", found one with "
        + "\"\(found.prefix(12))\". Pass the base that the run was trained on with --base; it recorded \"\(reference.base)\""
    )
    #expect(error.kind == .badContent)
  }

  @Test func aRunThatDoesNotKnowItsBaseTakesAny() throws {
    let reference = ReferenceCase.named("continued-initial")
    var identity = try ReferenceRun.identity(reference, method: "lora")
    identity.baseID = ""
    let writer = try RunWriter(
      creating: path, identity: identity, initial: ReferenceRun.snapshot(of: reference.initial!, step: 0))
    try writer.write(ReferenceRun.snapshot(of: reference.source + "/checkpoint-5", step: 5))
    let options = try MeasurementOptions(run: ExtractedRun(of: path), base: ReferenceCase.folder + "/bases/llama-f32")
    #expect(try MeasurementPlan(options).pieceCount > 0)
  }

  @Test(arguments: ["oft", "loha", "a new one"]) func aMethodThatIsNotAnalysedIsNamed(method: String) throws {
    let reference = ReferenceCase.named("continued-initial")
    try ReferenceRun.write(reference, method: method, to: path)
    let error = try #require(throws: FileError.self) { try options(reference) }
    #expect(
      error.description
        == "\(path): method: expected a method that is analysed, found \"\(method)\", which is not yet. "
        + "Analysed so far: \(PEFTMethods.analysed), and full fine-tuning")
    #expect(error.kind == .badContent)
  }

  // MARK: Damage

  @Test func aDamagedCheckpointIsLeftOutAndNamed() throws {
    let reference = ReferenceCase.named("milora")
    try ReferenceRun.write(reference, method: "milora", to: path)
    let checkpoint = path + "/checkpoints/00000010.h5"
    let bytes = try Data(contentsOf: URL(filePath: checkpoint))
    try bytes.dropLast(1000).write(to: URL(filePath: checkpoint))
    let options = try options(reference)
    let outcome = try MeasurementPlan(options).run(options)
    #expect(outcome.damaged == 1)
    #expect(Set(outcome.analysis.rows.map(\.step)) == [0, 5, 20])
    let finding = try #require(outcome.analysis.findings("SP110").first)
    #expect(finding.step == 10 && finding.message.hasPrefix(checkpoint + ": expected an HDF5 file"))
    // Compared with the last good one: fifteen steps between them.
    let row = try #require(outcome.analysis.rows.first { $0.step == 20 && $0.delta == .previous })
    #expect(row.metrics[.updateVelocity] == row.metrics[.relativeNorm]! / 15)
  }

  /// Messages of the measurement itself name the run's files too, in an analysis that goes on after an interruption as well.
  @Test func tensorsOfNoUseAreNamedByTheRunsFiles() throws {
    let reference = ReferenceCase.named("continued-initial")
    try ReferenceRun.write(reference, method: "lora", to: path)
    var broken = try ReferenceRun.snapshot(of: reference.source + "/checkpoint-10", step: 10)
    let module = broken.modules.keys[0]
    broken.modules[module]![0].values[3] = .nan
    try RunWriter(continuing: path).write(broken)
    let options = try options(reference)
    let outcome = try MeasurementPlan(options).run(options)
    #expect(outcome.damaged == 1)
    let finding = try #require(outcome.analysis.findings("SP104").first)
    #expect(finding.step == 10 && finding.module == module)
    #expect(
      finding.message.hasPrefix(
        "\(path)/checkpoints/00000010.h5: tensor \"\(module).lora_A.weight\": expected finite values"),
      "\(finding.message)")
    let text = try FindingsJSON.text(of: outcome.analysis.findings, path: "")
    #expect(!text.contains(options.source), "\(text)")
  }

  @Test func aLostIndexIsAFinding() throws {
    let reference = ReferenceCase.named("continued-initial")
    try ReferenceRun.write(reference, method: "lora", to: path)
    try FileManager.default.removeItem(atPath: path + "/run.h5")
    let options = try options(reference)
    let outcome = try MeasurementPlan(options).run(options)
    #expect(outcome.damaged == 0)
    let finding = try #require(outcome.analysis.findings("SP111").first)
    #expect(finding.severity == .warning && finding.message.hasPrefix(path + "/run.h5: no such file. "))
  }

  // MARK: Resuming

  /// The copies lie elsewhere each time; the pieces of an interrupted analysis are taken over all the same.
  @Test func anInterruptedAnalysisGoesOn() throws {
    let reference = ReferenceCase.named("milora")
    try ReferenceRun.write(reference, method: "milora", to: path)
    let whole = try options(reference)
    _ = try MeasurementPlan(whole).run(whole)
    let expected = try Data(contentsOf: URL(filePath: whole.output))
    try FileManager.default.removeItem(atPath: whole.output)

    let first = try options(reference)
    let done = Mutex(0)
    let stopped = try #require(throws: MeasurementPlan.Interrupted.self) {
      try MeasurementPlan(first).run(
        first, shouldStop: { done.withLock { $0 } >= 7 }, report: { state in done.withLock { $0 = state.done } })
    }
    let second = try options(reference)
    #expect(first.source != second.source)
    let resumed = Mutex(0)
    _ = try MeasurementPlan(second).run(second, report: { state in resumed.withLock { $0 = state.resumed } })
    #expect(resumed.withLock { $0 } == stopped.progress.done)
    #expect(try Data(contentsOf: URL(filePath: second.output)) == expected)

    // A checkpoint that was written again since may be another one.
    let third = try options(reference)
    done.withLock { $0 = 0 }
    _ = try #require(throws: MeasurementPlan.Interrupted.self) {
      try MeasurementPlan(third).run(
        third, shouldStop: { done.withLock { $0 } >= 7 }, report: { state in done.withLock { $0 = state.done } })
    }
    try RunWriter(continuing: path).write(ReferenceRun.snapshot(of: reference.source + "/checkpoint-20", step: 20))
    let fourth = try options(reference)
    _ = try MeasurementPlan(fourth).run(fourth, report: { state in resumed.withLock { $0 = state.resumed } })
    #expect(resumed.withLock { $0 } == 0)
  }
}
