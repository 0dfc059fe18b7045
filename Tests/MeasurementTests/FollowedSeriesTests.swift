import Adapters
import Diagnosis
import Foundation
import Measurement
import RunStore
import Spectra
import TestSupport
import Testing
import Weights

/// A folder in which a trainer writes, as a watcher sees it: checkpoints come one by one, in pieces, and vanish.
@Suite struct FollowedSeriesTests {
  private let folder = try! TemporaryFolder()
  private var files: FileManager { .default }

  private func options(_ reference: ReferenceCase, basis: BasisFolder? = nil) -> FollowOptions {
    FollowOptions(
      source: folder.path("run"), base: reference.base, initial: reference.initial,
      method: reference.method.flatMap(AdapterMethod.init(rawValue:)), basis: basis)
  }

  /// The folders of a run by their steps.
  private func checkpoints(_ reference: ReferenceCase) throws -> [(step: Int, name: String)] {
    try files.contentsOfDirectory(atPath: reference.source)
      .compactMap { name in CheckpointSeries.layout(ofFolderNamed: name).map { ($0.step, name) } }
      .sorted { $0.0 < $1.0 }
  }

  /// Brings a checkpoint to the folder that is followed.
  private func arrive(_ name: String, of reference: ReferenceCase, as other: String? = nil) throws {
    try files.createDirectory(atPath: folder.path("run"), withIntermediateDirectories: true)
    let target = folder.path("run/" + (other ?? name))
    if files.fileExists(atPath: target) { try files.removeItem(atPath: target) }
    try files.copyItem(atPath: reference.source + "/" + name, toPath: target)
  }

  private func vanish(_ name: String) throws { try files.removeItem(atPath: folder.path("run/" + name)) }

  private func look(_ series: FollowedSeries, later seconds: Double = 3600) throws -> FollowedSeries.Look {
    try series.look(now: Date().addingTimeInterval(seconds))
  }

  /// Of each only the last is there when it is measured; what comes out is the analysis of the whole series.
  @Test(arguments: ["lora", "dora-f32", "pissa-f32", "verl", "openrlhf", "full", "adalora-pruned", "experts"])
  func aSeriesThatVanishesIsMeasuredAsAWhole(name: String) throws {
    let reference = ReferenceCase.named(name)
    let whole = folder.path("whole.h5")
    var plain = MeasurementOptions(
      source: reference.source, base: reference.base, initial: reference.initial,
      method: reference.method.flatMap(AdapterMethod.init(rawValue:)), depth: .update, output: whole)
    plain.jobs = 2
    let expected = try MeasurementPlan(plain).run(plain).analysis
    let series = try checkpoints(reference)
    try #require(series.count > 1)
    var last: FollowedSeries.Look?
    for (index, checkpoint) in series.enumerated() {
      try arrive(checkpoint.name, of: reference)
      // Opened anew each time, as by --once.
      last = try look(FollowedSeries(options(reference)))
      #expect(last?.measured == [checkpoint.step] && last?.waiting == [])
      if index > 0 { try vanish(series[index - 1].name) }
    }
    let found = try #require(last?.analysis)
    #expect(found.rows == expected.rows && found.baseNorms == expected.baseNorms)
    #expect(found.setup == expected.setup)
    #expect(Set(found.noticed.map(\.code)) == Set(expected.noticed.map(\.code)))
    #expect(try AnalysisFile.read(from: folder.path("run/.spectroscope/analysis.h5")) == found)
    // Of all the adapters that there were, one or two are kept.
    let kept = try files.contentsOfDirectory(atPath: folder.path("run/.spectroscope/kept"))
    #expect(kept.count <= 2 && kept.contains(series.last!.name))
  }

  /// One process that goes on looking finds the same.
  @Test func oneWatcherFindsTheSame() throws {
    let reference = ReferenceCase.named("lora")
    try files.createDirectory(atPath: folder.path("run"), withIntermediateDirectories: true)
    let watcher = try FollowedSeries(options(reference))
    #expect(try look(watcher).analysis == nil)
    var analysis: Analysis?
    for checkpoint in try checkpoints(reference) {
      try arrive(checkpoint.name, of: reference)
      #expect(try look(watcher).measured == [checkpoint.step])
      #expect(try look(watcher).measured == [])
      analysis = try look(watcher).analysis
    }
    #expect(try analysis == AnalysisFile.read(from: folder.path("run/.spectroscope/analysis.h5")))
    #expect(analysis?.rows.contains { $0.delta == .previous } == true)
  }

  // MARK: Whether a checkpoint is complete

  @Test func whatTheTrainerWritesLastMarksTheEnd() throws {
    let reference = ReferenceCase.named("lora")
    try arrive("checkpoint-5", of: reference)
    let state = folder.path("run/checkpoint-5/trainer_state.json")
    let text = try String(contentsOfFile: state, encoding: .utf8)
    // Not there, or a part of it.
    try files.removeItem(atPath: state)
    let watcher = try FollowedSeries(options(reference))
    #expect(try look(watcher, later: 5).waiting == [5])
    try folder.write("run/checkpoint-5/trainer_state.json", String(text.prefix(text.count / 2)))
    #expect(try look(watcher, later: 5).waiting == [5])
    try folder.write("run/checkpoint-5/trainer_state.json", text)
    #expect(try look(watcher, later: 5).measured == [5])
  }

  @Test func whatIsLeftAloneIsComplete() throws {
    let reference = ReferenceCase.named("openrlhf")
    try arrive("global_step5_hf", of: reference)
    for file in try files.contentsOfDirectory(atPath: folder.path("run/global_step5_hf")) {
      try files.setAttributes([.modificationDate: Date()], ofItemAtPath: folder.path("run/global_step5_hf/" + file))
    }
    let watcher = try FollowedSeries(options(reference))
    #expect(try look(watcher, later: 20).waiting == [5])
    #expect(try look(watcher, later: 40).measured == [5])
  }

  @Test func verlCountsItsCheckpoints() throws {
    let reference = ReferenceCase.named("verl")
    try arrive("global_step_5", of: reference)
    let watcher = try FollowedSeries(options(reference))
    try files.setAttributes(
      [.modificationDate: Date()],
      ofItemAtPath: folder.path("run/global_step_5/actor/lora_adapter/adapter_model.safetensors"))
    #expect(try look(watcher, later: 5).waiting == [5])
    try folder.write("run/latest_checkpointed_iteration.txt", "5")
    #expect(try look(watcher, later: 5).measured == [5])
  }

  /// A later checkpoint is not measured before an earlier one, which it is compared with.
  @Test func orderIsKept() throws {
    let reference = ReferenceCase.named("lora")
    try arrive("checkpoint-5", of: reference)
    try arrive("checkpoint-10", of: reference)
    let state = folder.path("run/checkpoint-5/trainer_state.json")
    try files.removeItem(atPath: state)
    let watcher = try FollowedSeries(options(reference))
    let found = try look(watcher, later: 5)
    #expect(found.measured == [] && found.waiting == [5])
    #expect(try look(watcher).measured == [5, 10])
  }

  /// Weights that are cut short are waited for, and then a finding; the next checkpoint is compared with the last good one.
  @Test func aBrokenCheckpointIsAFinding() throws {
    let reference = ReferenceCase.named("lora")
    let watcher: FollowedSeries
    try arrive("checkpoint-5", of: reference)
    watcher = try FollowedSeries(options(reference))
    #expect(try look(watcher).measured == [5])
    try arrive("checkpoint-10", of: reference)
    let weights = folder.path("run/checkpoint-10/adapter_model.safetensors")
    let bytes = try Data(contentsOf: URL(fileURLWithPath: weights))
    try bytes.prefix(bytes.count / 2).write(to: URL(fileURLWithPath: weights))
    #expect(try look(watcher, later: 5).waiting == [10])
    let broken = try look(watcher)
    #expect(broken.measured == [10])
    #expect(broken.analysis?.noticed.contains { $0.code == "SP110" && $0.step == 10 } == true)
    try arrive("checkpoint-20", of: reference)
    let next = try look(watcher)
    #expect(next.measured == [20])
    let previous = next.analysis?.rows.filter { $0.delta == .previous && $0.step == 20 } ?? []
    #expect(!previous.isEmpty && next.analysis?.noticed.contains { $0.code == "SP110" } == true)
  }

  // MARK: What the trainer writes anew

  @Test func aRunThatWasResumedIsMeasuredAnew() throws {
    let reference = ReferenceCase.named("lora")
    let watcher: FollowedSeries
    for name in ["checkpoint-5", "checkpoint-10", "checkpoint-20"] { try arrive(name, of: reference) }
    watcher = try FollowedSeries(options(reference))
    #expect(try look(watcher).measured == [5, 10, 20])
    // Resumed from 5: another 10, and no 20 yet.
    try vanish("checkpoint-20")
    try arrive("checkpoint-20", of: reference, as: "checkpoint-10")
    let weights = folder.path("run/checkpoint-10/adapter_model.safetensors")
    try files.setAttributes([.modificationDate: Date().addingTimeInterval(9)], ofItemAtPath: weights)
    let found = try look(watcher)
    #expect(found.rewrittenFrom == 10 && found.measured == [10])
    #expect(Set(found.analysis!.rows.map(\.step)) == [5, 10])
  }

  // MARK: Kills

  /// Cut anywhere, the journal costs at most the checkpoint that it was cut in.
  @Test(arguments: [0.3, 0.5, 0.7, 0.9, 0.999])
  func aTornJournalCostsOneCheckpoint(share: Double) throws {
    let reference = ReferenceCase.named("lora")
    for checkpoint in try checkpoints(reference) { try arrive(checkpoint.name, of: reference) }
    let whole = try #require(try look(FollowedSeries(options(reference))).analysis)
    let journal = folder.path("run/.spectroscope/analysis.h5.pieces")
    let bytes = try Data(contentsOf: URL(fileURLWithPath: journal))
    try bytes.prefix(Int(share * Double(bytes.count))).write(to: URL(fileURLWithPath: journal))
    let again = try look(FollowedSeries(options(reference)))
    #expect(again.measured.last == 20)
    #expect(again.analysis?.rows == whole.rows && again.analysis?.noticed == whole.noticed)
  }

  /// A checkpoint counts as measured before the analysis with it is written: a kill in between leaves the one without.
  @Test(arguments: [true, false])
  func anAnalysisThatLacksTheLastCheckpointIsMadeAnew(isThere: Bool) throws {
    let reference = ReferenceCase.named("lora")
    let file = folder.path("run/.spectroscope/analysis.h5")
    for name in ["checkpoint-5", "checkpoint-10"] { try arrive(name, of: reference) }
    _ = try look(FollowedSeries(options(reference)))
    let earlier = try Data(contentsOf: URL(fileURLWithPath: file))
    try arrive("checkpoint-20", of: reference)
    let whole = try #require(try look(FollowedSeries(options(reference))).analysis)
    try earlier.write(to: URL(fileURLWithPath: file))
    if !isThere { try files.removeItem(atPath: file) }
    // The trainer may have deleted it since.
    try vanish("checkpoint-20")
    let again = try look(FollowedSeries(options(reference)))
    #expect(again.measured == [] && again.analysis?.rows == whole.rows)
    #expect(try AnalysisFile.read(from: file).rows == whole.rows)
  }

  /// What a run that was resumed has undone is in no analysis any more, also while its first new checkpoint is not complete, and after a kill.
  @Test func whatWasUndoneIsForgotten() throws {
    let reference = ReferenceCase.named("lora")
    for name in ["checkpoint-5", "checkpoint-10", "checkpoint-20"] { try arrive(name, of: reference) }
    _ = try look(FollowedSeries(options(reference)))
    try vanish("checkpoint-20")
    try arrive("checkpoint-20", of: reference, as: "checkpoint-10")
    let weights = folder.path("run/checkpoint-10/adapter_model.safetensors")
    try files.setAttributes([.modificationDate: Date().addingTimeInterval(9)], ofItemAtPath: weights)
    try vanish("checkpoint-10/trainer_state.json")
    let series = try FollowedSeries(options(reference))
    // Before anything is forgotten somebody is told, who can still prevent it.
    struct Refusal: Error {}
    #expect(throws: Refusal.self) { try series.look { _ in throw Refusal() } }
    var told: Int?
    let found = try series.look { told = $0 }
    #expect(told == 10 && found.rewrittenFrom == 10 && found.waiting == [10])
    #expect(Set(found.analysis?.rows.map(\.step) ?? []) == [5])
    let next = try FollowedSeries(options(reference)).look()
    #expect(next.rewrittenFrom == nil && Set(next.analysis?.rows.map(\.step) ?? []) == [5])
  }

  // MARK: The base

  @Test func anotherBaseIsSaid() throws {
    let reference = ReferenceCase.named("lora")
    try arrive("checkpoint-5", of: reference)
    var wrong = options(reference)
    wrong.measurement.base = ReferenceCase.folder + "/bases/llama-small"
    let watcher = try FollowedSeries(wrong)
    let error = #expect(throws: FileError.self) { try look(watcher) }
    #expect(error?.kind == .badContent)
    #expect(try look(FollowedSeries(options(reference))).measured == [5])
  }

  /// From when the spectral basis is there, updates are held against it.
  @Test func theBasisDeepensWhatComesAfterIt() throws {
    let reference = ReferenceCase.named("lora")
    let basis = BasisFolder(path: folder.path("basis"))
    try arrive("checkpoint-5", of: reference)
    #expect(try look(FollowedSeries(options(reference, basis: basis))).measured == [5])
    // Any analysis at depth geometry makes it.
    var plain = MeasurementOptions(
      source: reference.source, base: reference.base, depth: .geometry, basis: basis, output: folder.path("whole.h5"))
    plain.jobs = 2
    _ = try MeasurementPlan(plain).run(plain)
    try arrive("checkpoint-10", of: reference)
    let analysis = try #require(try look(FollowedSeries(options(reference, basis: basis))).analysis)
    func hasGeometry(_ step: Int) -> Bool {
      analysis.rows.contains { $0.step == step && $0.metrics[.leftOverlap] != nil }
    }
    #expect(!hasGeometry(5) && hasGeometry(10))
  }
}
