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

        \(Reference.loggedNaN)

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
    let result =
      try isQuiet
      ? bench.analyze(Reference.lora, "--json", "--quiet") : bench.analyze(Reference.lora, "--json")
    let json = try JSONValue(parsing: [UInt8](result.stdout.utf8))
    #expect(json["out"]?.string == bench.output)
    #expect(json["source"]?.string == Reference.lora)
    #expect(json["base"]?.string == Reference.llama)
    #expect(json["depth"]?.string == "auto")
    #expect(json["coverage"]?.string == "14/14 modules")
    #expect(json["delta"]?.string == "init")
    #expect(json["steps"]?.array?.map { $0["step"]?.int } == [5, 10, 20])
    #expect(json["findings"]?.array?.compactMap { $0["code"]?.string } == ["SP414"])
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
    #expect(try spectroscope("inspect", bench.output).stdout.hasSuffix("  \(Reference.loggedNaN)\n"))
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
