import Adapters
import TestSupport
import Testing
import Weights

@Suite struct CheckpointSeriesTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// Puts an `adapter_config.json`, which is all that is looked for, into each folder.
  private func makeAdapters(_ names: String...) throws {
    for name in names { try folder.write(name + "/adapter_config.json", "{}") }
  }

  private func series(_ name: String = "") throws -> CheckpointSeries {
    try CheckpointSeries(path: name.isEmpty ? folder.path : folder.path(name))
  }

  @Test func checkpointsComeInNumericOrder() throws {
    try makeAdapters("checkpoint-10", "checkpoint-9", "checkpoint-100", "checkpoint-0")
    let found = try series()
    #expect(found.layout == .huggingFaceTrainer && found.remarks.isEmpty)
    #expect(found.checkpoints.map(\.step) == [0, 9, 10, 100])
    #expect(found.checkpoints.map(\.statesStep) == [true, true, true, true])
    #expect(found.checkpoints[1].path == folder.path("checkpoint-9"))
  }

  @Test func verlKeepsItsAdaptersInThreePlaces() throws {
    try makeAdapters("global_step_20/actor/lora_adapter", "global_step_3/lora_adapter", "global_step_100/actor")
    let found = try series()
    #expect(found.layout == .verl && found.remarks.isEmpty)
    #expect(found.checkpoints.map(\.step) == [3, 20, 100])
    #expect(
      found.checkpoints.map(\.path)
        == ["global_step_3/lora_adapter", "global_step_20/actor/lora_adapter", "global_step_100/actor"].map(folder.path)
    )
  }

  @Test func openRLHFPutsTheStepInTheMiddle() throws {
    try makeAdapters("global_step5_hf", "global_step40_hf")
    try folder.write("global_step5/mp_rank_00_model_states.pt", "the optimiser's own folder")
    let found = try series()
    #expect(found.layout == .openRLHF && found.remarks.isEmpty)
    #expect(found.checkpoints.map(\.step) == [5, 40])
  }

  @Test func aNamedAdapterLiesOneFolderDeeper() throws {
    try makeAdapters("checkpoint-1/policy", "checkpoint-2/default")
    #expect(
      try series().checkpoints.map(\.path) == ["checkpoint-1/policy", "checkpoint-2/default"].map(folder.path))
  }

  @Test func twoNamedAdaptersAreAQuestion() throws {
    try makeAdapters("policy", "reference")
    let error = try #require(throws: FileError.self) { try series() }
    #expect(error.problem == "expected one adapter, found 2: policy, reference")
    #expect(error.remedy == "Name one of these folders")
  }

  @Test func theMoreFrequentLayoutWins() throws {
    try makeAdapters("checkpoint-1", "checkpoint-2", "global_step_7/actor")
    let found = try series()
    #expect(found.layout == .huggingFaceTrainer && found.checkpoints.map(\.step) == [1, 2])
    #expect(found.remarks.map(\.kind) == [.seriesChanged] && found.remarks.map(\.step) == [7])
  }

  @Test func otherFoldersAndFilesAreNoCheckpoints() throws {
    try makeAdapters("checkpoint-5", "initial", "checkpoint-final", "checkpoint-", "checkpoint--3", "checkpoint-1.5")
    try folder.write("checkpoint-6", "a file named like a checkpoint")
    try folder.write("checkpoint-7.json", "{}")
    let found = try series()
    #expect(found.checkpoints.map(\.step) == [5])
    #expect(found.remarks.isEmpty)
  }

  @Test func aCheckpointWithoutAnAdapterIsRemarkedOn() throws {
    try makeAdapters("checkpoint-5")
    try folder.write("checkpoint-10/optimizer.pt", "")
    let found = try series()
    #expect(found.checkpoints.map(\.step) == [5])
    #expect(found.remarks.map(\.kind) == [.damagedCheckpoint] && found.remarks.map(\.step) == [10])
  }

  // MARK: Single folders

  @Test func oneAdapterTakesItsStepFromItsName() throws {
    try makeAdapters("checkpoint-12", "global_step_4/actor/lora_adapter")
    for path in ["checkpoint-12", "checkpoint-12/", "checkpoint-12/."] {
      let found = try series(path)
      #expect(found.layout == .adapterFolder)
      #expect(found.checkpoints.map(\.step) == [12] && found.checkpoints[0].statesStep)
    }
    #expect(try series("global_step_4").checkpoints.map(\.step) == [4])
  }

  @Test func oneAdapterTakesItsStepFromTheTrainersState() throws {
    try makeAdapters("out")
    try folder.write(
      "out/trainer_state.json", #"{"log_history": [{"loss": NaN, "grad_norm": Infinity}], "global_step": 42}"#)
    let only = try #require(try series("out").checkpoints.first)
    #expect(only.step == 42 && only.statesStep && only.path == folder.path("out"))
  }

  @Test(arguments: [nil, "{\"global_step\": \"many\"}", "torn {"]) func withoutAStepItIsNotStated(state: String?) throws
  {
    try makeAdapters("out")
    if let state { try folder.write("out/trainer_state.json", state) }
    let only = try #require(try series("out").checkpoints.first)
    #expect(only.step == 0 && !only.statesStep && only.path == folder.path("out"))
  }

  // MARK: Errors

  @Test func whatIsNoSeriesIsNamed() throws {
    let missing = try #require(throws: FileError.self) { try series("missing") }
    #expect(missing.kind == .cannotOpen)
    try folder.write("file", "")
    let file = try #require(throws: FileError.self) { try series("file") }
    #expect(file.kind == .badContent && file.problem.contains("found a file"))
    let empty = try #require(throws: FileError.self) { try series() }
    #expect(empty.kind == .badContent && empty.problem.hasSuffix("found no folder"))
    try folder.write("checkpoint-3/optimizer.pt", "")
    let bare = try #require(throws: FileError.self) { try series() }
    #expect(bare.kind == .badContent && bare.problem.hasSuffix("found only checkpoint-3"))
  }
}
