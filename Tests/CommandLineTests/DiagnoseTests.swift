import Foundation
import RunStore
import Spectra
import TestSupport
import Testing
import Weights

/// `diagnose` as a user meets it.
@Suite struct DiagnoseTests {
  let bench = try! Bench()
  private static let known = ReferenceCase.folder + "/diagnosis"
  private static let laboratory = repositoryRoot + "/Sources/CBase/model"

  private func diagnosed(_ name: String, base: String) throws -> ProcessResult {
    let result = try bench.analyze("\(Self.known)/\(name)", base: base)
    try #require(result.status == 0, "\(result.stderr)")
    return try spectroscope("diagnose", bench.output)
  }

  @Test func aHealthyRunOutsideTheCalibratedRange() throws {
    let result = try diagnosed("healthy-lora", base: ReferenceCase.folder + "/bases/llama-f32")
    #expect(
      result.stdout == """
        INCONCLUSIVE – nothing alarms, and not everything could be judged

        Not judged
        – bounds of velocity are calibrated on reinforcement learning, and this run is supervised

        Looked at
        4/4 modules, 12 checkpoints (steps 5 to 60), a log of 60 records, lora r = 8, α = 16, learning rate
        3.00e-04. Confidence: low – see what was not judged.

        """)
    #expect(result.stderr == "" && result.status == 0)
  }

  @Test func aReloadTrap() throws {
    let result = try diagnosed("pissa-niter-4", base: Self.laboratory)
    #expect(
      result.stdout.hasPrefix("INCONCLUSIVE – 2 warnings, and not everything could be judged\n\nFindings, by onset\n"))
    #expect(
      result.stdout.contains("warning SP503  run       the adapter began by pissa_niter_4, which no reload repeats:"))
    #expect(result.stdout.contains("\nWhat to do\nSP502: Pass the adapter of step 0 with --initial."))
  }

  @Test func aBlowUp() throws {
    let result = try diagnosed("blow-up", base: Self.laboratory)
    #expect(result.stdout.hasPrefix("ALERT, since step 3"))
    #expect(result.stdout.contains(" – the size of the steps\n\nThe loss has risen to "))
    #expect(
      result.stdout.contains("\nWhere\n") && result.stdout.contains("The last healthy checkpoint is that of step 30."))
    #expect(result.stdout.split(separator: "\n").allSatisfy { $0.count <= 100 })
    #expect(result.status == 0)
  }

  @Test func jsonHasTheVerdictAndItsFindings() throws {
    _ = try diagnosed("blow-up", base: Self.laboratory)
    let result = try spectroscope("diagnose", bench.output, "--json")
    let json = try JSONValue(parsing: [UInt8](result.stdout.utf8))
    #expect(json["verdict"]?.string == "alert" && json["cause"]?.string == "step-size")
    #expect(json["last_healthy_checkpoint"]?.int == 30 && json["last_checkpoint"]?.int == 50)
    #expect(json["findings"]?.array?.map { $0["code"]?.string }.contains("SP412") == true)
    #expect(json["spread"]?.array?.isEmpty == false && json["modules"]?.int == 6)
    #expect(try spectroscope("diagnose", bench.output, "--quiet").stdout == "")
  }

  @Test func aRunFolderGetsItsFindings() throws {
    let run = bench.path("run")
    let training = try spectroscope(
      "train", "--method", "pissa", "--learning-rate", "1e-2", "--steps", "12", "--out", run, "--quiet")
    try #require(training.status == 0, "\(training.stderr)")
    try #require(try spectroscope("analyze", run, "--quiet").status == 0)
    let json = try JSONValue(contentsOf: run + "/" + RunLayout.findings)
    #expect(json["verdict"]?.string == "alert" && json["cause"]?.string == "step-size" && json["onset"]?.int == 1)
    let result = try spectroscope("diagnose", run)
    #expect(result.stdout.hasPrefix("ALERT, since step 1 – the size of the steps\n\nA step moves "))
    // The analysis by itself knows what was logged.
    let alone = bench.path("alone.h5")
    try FileManager.default.copyItem(atPath: run + "/" + RunLayout.analysis, toPath: alone)
    #expect(try spectroscope("diagnose", alone).stdout == result.stdout)
  }

  @Test func anAnalysisThatIsBehindSaysSo() throws {
    let run = bench.path("run")
    try #require(try spectroscope("train", "--steps", "5", "--out", run, "--quiet").status == 0)
    try #require(try spectroscope("analyze", run, "--quiet").status == 0)
    #expect(try spectroscope("diagnose", run).stderr == "")
    try FileManager.default.copyItem(
      atPath: run + "/" + RunLayout.checkpoint(5), toPath: run + "/" + RunLayout.checkpoint(10))
    #expect(
      try spectroscope("diagnose", run).stderr
        == "Note: the analysis ends before checkpoint 10; `spectroscope analyze` brings it up to date\n")
  }

  @Test func aLogFromElsewhereIsJoined() throws {
    let log = try bench.folder.write(
      "log.jsonl", "{\"step\": 5, \"data\": {\"critic/score/mean\": 0.5, \"actor/lr\": 0.001}}\n")
    let result = try bench.analyze(Reference.lora, "--log", log)
    try #require(result.status == 0, "\(result.stderr)")
    #expect(result.findings.isEmpty)
    #expect(try spectroscope("diagnose", bench.output).stdout.contains("a log of 1 record, lora"))
    let missing = try bench.analyze(Reference.lora, "--log", bench.path("gone.jsonl"))
    #expect(missing.status == 66 && missing.stderr.hasSuffix("gone.jsonl: no such file or folder. Check the path\n"))
  }

  @Test func aRunHasItsOwnRecord() throws {
    let run = bench.path("own")
    try #require(try spectroscope("train", "--steps", "2", "--out", run, "--quiet").status == 0)
    let refused = try spectroscope("analyze", run, "--log", "log.csv")
    #expect(refused.status == 64)
    #expect(
      refused.stderr.hasPrefix("Error: --log goes with another trainer's checkpoints: a run has its own record\n"))
    // Two steps are too few to call it healthy.
    try #require(try spectroscope("analyze", run, "--quiet").status == 0)
    #expect(try spectroscope("diagnose", run).stdout.hasPrefix("INCONCLUSIVE – nothing alarms"))
  }

  /// Names from files neither break lines nor command the terminal.
  @Test func hostileNamesAreShown() throws {
    var metrics = MetricValues()
    (metrics[.rows], metrics[.columns], metrics[.frobeniusNorm]) = (64, 64, 0)
    let row = SpectrumRow(
      step: 5, module: "a\u{1B}[31mb\nALERT", method: "lora", delta: .pretrained, metrics: metrics, singularValues: [])
    try AnalysisFile.write(Analysis(rows: [row]), to: bench.output)
    let result = try spectroscope("diagnose", bench.output)
    #expect(result.stdout.contains("[a\\u{1b}[31mb\\u{a}ALERT]"))
    #expect(!result.stdout.contains("\u{1B}"))
  }

  @Test func aDamagedLogIsSaidAndLeftOut() throws {
    let run = try bench.copy(Reference.lora, as: "run")
    try "{\"global_step\": 20, \"log_history\": [3]}".write(
      toFile: run + "/checkpoint-20/trainer_state.json", atomically: true, encoding: .utf8)
    let result = try bench.analyze(run)
    #expect(result.status == 0)
    #expect(
      result.findings.first?.hasPrefix("warning SP415 damaged-log: \(run)/checkpoint-20/trainer_state.json: ") == true)
  }

  @Test func whatIsNoAnalysis() throws {
    let missing = try spectroscope("diagnose", bench.path("gone.h5"))
    #expect(missing.status == 66 && missing.stdout == "")
    let folder = try spectroscope("diagnose", Reference.lora)
    #expect(folder.status == 66 && folder.stderr.contains("Make one with `spectroscope analyze`"))
    let text = try bench.folder.write("a.txt", "nothing")
    #expect(try spectroscope("diagnose", text).status == 65)
  }
}
