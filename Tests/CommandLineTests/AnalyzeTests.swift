import Foundation
import TestSupport
import Testing
import Weights

/// The main path of `analyze`: what it prints where, and what it writes.
@Suite struct AnalyzeTests {
  let bench = try! Bench()

  @Test func printsATableAndNotes() throws {
    let result = try bench.analyze(Reference.lora)
    #expect(
      result.stdout == """
        step  modules  ‖ΔW‖/‖W₀‖  velocity  effective rank  stable rank  of rank     floor
           5       14    0.00899   0.00180            3.25         1.41     4.00  3.12e-10
          10       14     0.0184   0.00201            3.09         1.29     4.00  6.20e-10
          20       14     0.0416   0.00263            2.82         1.17     4.00  1.28e-09
        Medians over the modules; ΔW since initialisation; velocity is per step.

        """)
    #expect(
      result.stderr == """
        14/14 modules, 3 checkpoints of lora, checkpoint-N series (Hugging Face Trainer, TRL, unsloth)
        wrote \(bench.output)

        """)
    #expect(result.status == 0)
    #expect(bench.exists(bench.output) && !bench.exists(bench.journal))
  }

  @Test func quietPrintsNothing() throws {
    let result = try bench.analyze(Reference.lora, "--quiet")
    #expect(result.stdout == "")
    #expect(result.stderr == "")
    #expect(result.status == 0)
    #expect(bench.exists(bench.output))
  }

  @Test(arguments: [false, true])
  func jsonIsOneObject(isQuiet: Bool) throws {
    let result = try isQuiet
      ? bench.analyze(Reference.lora, "--json", "--quiet") : bench.analyze(Reference.lora, "--json")
    let json = try JSONValue(parsing: [UInt8](result.stdout.utf8))
    #expect(json["out"]?.string == bench.output)
    #expect(json["source"]?.string == Reference.lora)
    #expect(json["base"]?.string == Reference.llama)
    #expect(json["depth"]?.string == "update")
    #expect(json["coverage"]?.string == "14/14 modules")
    #expect(json["delta"]?.string == "init")
    #expect(json["steps"]?.array?.map { $0["step"]?.int } == [5, 10, 20])
    #expect(json["findings"]?.array?.isEmpty == true)
    #expect(result.stderr.isEmpty == isQuiet)
  }

  @Test func jobsDoNotChangeTheFile() throws {
    let other = bench.path("two.h5")
    for (jobs, output) in [("1", bench.output), ("2", other)] {
      let result = try spectroscope(
        "analyze", Reference.example + "/run", "--base", Reference.example + "/base", "--out", output, "--jobs", jobs)
      #expect(result.status == 0, "\(result.stderr)")
    }
    #expect(FileManager.default.contentsEqual(atPath: bench.output, andPath: other))
  }

  @Test func anEarlierAnalysisIsReplaced() throws {
    try bench.folder.write("out.h5", "what was here before")
    #expect(try bench.analyze(Reference.lora).status == 0)
    #expect(try spectroscope("inspect", bench.output).stdout.contains("nothing looks wrong"))
  }

  @Test func theExampleOfTheNotebooks() throws {
    let result = try bench.analyze(Reference.example + "/run", base: Reference.example + "/base")
    #expect(result.status == 0)
    #expect(result.steps == ["10", "20", "30", "40"])
    #expect(
      result.stderr.hasPrefix(
        "8/8 modules, 4 checkpoints of lora, checkpoint-N series (Hugging Face Trainer, TRL, unsloth)\n"))
  }

  @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/script")))
  func progressIsDrawnOnATerminalOnly() throws {
    let command = "'\(Program.path)' analyze '\(Reference.lora)' --base '\(Reference.llama)' --out '\(bench.output)'"
    let result = try run("/usr/bin/script", ["-qec", command, "/dev/null"], environment: Program.environment)
    #expect(result.stdout.contains("\r\u{1B}[2Kanalyzing 42/42 (100 %)"))
    #expect(try !bench.analyze(Reference.lora).stderr.contains("\u{1B}"))
  }
}

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
    #expect(try bench.analyze(source).steps == ["7"])
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
      result.stderr == bench.filled(
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

  @Test func anInitialAdapterThatIsMissing() throws {
    let result = try bench.analyze(Reference.lora, "--initial", bench.path("none"))
    #expect(result.stderr == bench.filled("Error: {}/none: no such file or folder\n"))
    #expect(result.status == 66)
    #expect(bench.hasNoOutput)
  }
}

/// Outputs that cannot be written are refused before the work.
@Suite struct OutputTests {
  let bench = try! Bench()

  @Test func aMissingFolder() throws {
    let result = try bench.analyze(Reference.lora, "--out", bench.path("none/out.h5"))
    #expect(
      result.stderr
        == bench.filled("Error: {}/none/out.h5: its folder does not exist. Create {}/none first\n"))
    #expect(result.stdout == "")
    #expect(result.status == 73)
  }

  @Test func aFolderInItsPlace() throws {
    let result = try bench.analyze(Reference.lora, "--out", bench.folder.path)
    #expect(
      result.stderr == bench.filled("Error: {}: expected the name of a file to write, found a folder\n"))
    #expect(result.status == 73)
  }

  @Test(.enabled(if: canBecomeNobody))
  func aFolderThatMayNotBeWrittenTo() throws {
    let result = try spectroscopeAsNobody(
      "analyze", Reference.lora, "--base", Reference.llama, "--out", bench.output, in: bench.folder)
    #expect(
      result.stderr == bench.filled(
        "Error: {}/out.h5: its folder may not be written to. Check the permissions of {}\n"))
    #expect(result.status == 73)
  }
}
