import Foundation
import TestSupport
import Testing

/// Paths as people write them, and the folders that trainers make.
@Suite struct SourceTests {
  let bench = try! Bench()

  @Test func relativePathsAndTrailingSlashes() throws {
    try bench.copy(Reference.lora, as: "run")
    try bench.copy(Reference.llama, as: "base")
    let result = try spectroscope(
      "analyze", "./run/", "--base", "base/", "--out", "out.h5", folder: bench.folder.path)
    #expect(result.status == 0, "\(result.stderr)")
    #expect(result.stderr.hasSuffix("wrote out.h5\n"))
    #expect(result.steps == ["5", "10", "20"])
  }

  @Test func spacesAndOtherAlphabets() throws {
    let source = try bench.copy(Reference.lora, as: "mein Lauf – Prüfung 測試 🔬")
    let result = try bench.analyze(source)
    #expect(result.status == 0, "\(result.stderr)")
    #expect(try spectroscope("inspect", bench.output).stdout.contains("  source      \(source)\n"))
  }

  @Test func stepsAreOrderedAsNumbers() throws {
    for step in [9, 10, 100] { try bench.copy(Reference.lora + "/checkpoint-5", as: "run/checkpoint-\(step)") }
    #expect(try bench.analyze(bench.path("run")).steps == ["9", "10", "100"])
    let velocities = try bench.exportedRows().filter { $0["delta"] == "previous" && $0["step"] != "9" }
    #expect(velocities.count == 28)
    #expect(velocities.allSatisfy { $0["update_velocity"] == "0.0" })
  }

  @Test func anAdapterThatStatesNoStepHasNoPredecessor() throws {
    let adapter = try bench.adapter()
    try FileManager.default.removeItem(atPath: adapter.path + "/trainer_state.json")
    let result = try bench.analyze(adapter.path)
    #expect(result.stderr == "14/14 modules, 1 checkpoint of lora, one adapter folder\nwrote \(bench.output)\n")
    #expect(result.steps == ["0"])
    #expect(result.status == 0)
    #expect(try Set(bench.exportedRows().map { $0["delta"] }) == ["init", "pretrained"])
  }

  @Test func aCheckpointFolderIsAtTheStepOfItsName() throws {
    let source = try bench.copy(Reference.lora + "/checkpoint-5", as: "checkpoint-7")
    for name in [source, source + "/"] { #expect(try bench.analyze(name).steps == ["7"]) }
    let inside = try spectroscope("analyze", ".", "--base", Reference.llama, "--out", bench.output, folder: source)
    #expect(inside.steps == ["7"])
    #expect(try Set(bench.exportedRows().map { $0["delta"] }) == ["init", "pretrained", "previous"])
  }

  @Test func anAdapterIsAtTheStepOfItsTrainerState() throws {
    #expect(try bench.analyze(bench.adapter().path).steps == ["5"])
  }

  @Test(arguments: [("verl", "global_step_N series (verl)"), ("openrlhf", "global_stepN_hf series (OpenRLHF)")])
  func seriesOfOtherTrainers(name: String, layout: String) throws {
    let reference = ReferenceCase.named(name)
    let result = try bench.analyze(reference.source, base: reference.base)
    #expect(result.status == 0)
    #expect(result.stderr.contains(" checkpoints of lora, \(layout)\n"))
  }

  @Test func anAdapterOfAnotherNameInASubfolder() throws {
    let reference = ReferenceCase.named("adapter-name")
    let result = try bench.analyze(reference.source, base: reference.base)
    #expect(result.status == 0)
    #expect(result.steps == ["5", "10", "20"])
  }

  @Test func twoAdaptersInOneCheckpoint() throws {
    for name in ["policy", "reference"] {
      try bench.copy(Reference.lora + "/checkpoint-5", as: "run/checkpoint-5/\(name)")
    }
    let result = try bench.analyze(bench.path("run"))
    #expect(
      result.stderr
        == bench.filled(
          "Error: {}/run/checkpoint-5: expected one adapter, found 2: policy, reference. Name one of these folders\n"))
    #expect(result.status == 65)
    #expect(bench.hasNoOutput)
  }

  @Test func modulesToSaveAreAnalysedAsWholeWeights() throws {
    let reference = ReferenceCase.named("modules-to-save")
    let result = try bench.analyze(reference.source, base: reference.base)
    #expect(result.status == 0, "\(result.stderr)")
    let rows = try bench.exportedRows()
    #expect(Set(rows.map { $0["method"] }) == ["lora", "full"])
    #expect(rows.filter { $0["method"] == "full" }.allSatisfy { $0["rank"] == "" && $0["rows"] != "" })
  }

  @Test func rankOne() throws {
    let reference = ReferenceCase.named("rank1")
    let result = try bench.analyze(reference.source, base: reference.base)
    #expect(result.status == 0)
    let rows = try bench.exportedRows()
    #expect(rows.allSatisfy { $0["method"] == "lora" && $0["rank"] == "1" && $0["k"] == "1" })
    for row in rows where row["delta"] == "init" {
      #expect(try #require(Double(row["effective_rank"]!)) == 1)
    }
  }

  @Test func aStatedMethodIsTaken() throws {
    let result = try bench.analyze(Reference.lora, "--method", "lora-plus")
    #expect(result.stderr.hasPrefix("14/14 modules, 3 checkpoints of lora-plus, "))
    #expect(try Set(bench.exportedRows().map { $0["method"] }) == ["lora-plus"])
  }

  @Test func anInitialAdapterHasRowsAtStepZero() throws {
    let reference = ReferenceCase.named("pissa-f32-initial")
    let result = try bench.analyze(reference.source, base: reference.base, "--initial", try #require(reference.initial))
    #expect(result.status == 0, "\(result.stderr)")
    #expect(result.steps.first == "0")
  }

  @Test func anInitialAdapterThatIsMissing() throws {
    let result = try bench.analyze(Reference.lora, "--initial", bench.path("none"))
    #expect(result.stderr == bench.filled("Error: {}/none: no such file or folder\n"))
    #expect(result.status == 66)
    #expect(bench.hasNoOutput)
  }
}
