import Diagnosis
import Foundation
import RunStore
import Spectra
import TestSupport
import Testing
import Weights

/// `gate`: exit codes above all.
@Suite struct GateTests {
  let bench = try! Bench()

  private static let alphaIsZero = Finding(
    code: "SP105", name: "alpha-is-zero", severity: .alert, module: "lm_head", message: "lora_alpha is 0")
  private static let nonFinite = Finding(
    step: 10, code: "SP104", name: "non-finite-values", severity: .alert, message: "NaN\u{1B}[2J")

  /// An analysis file with findings that were noticed while reading; `steps` are those of its rows.
  private func write(_ noticed: [Finding], steps: [Int] = [5, 10], to path: String? = nil) throws -> String {
    var metrics = MetricValues()
    (metrics[.rows], metrics[.columns]) = (64, 64)
    let rows = steps.map {
      SpectrumRow(step: $0, module: "q_proj", method: "lora", delta: .initial, metrics: metrics, singularValues: [])
    }
    let file = path ?? bench.output
    try AnalysisFile.write(Analysis(rows: rows, noticed: noticed), to: file)
    return file
  }

  private func policy(_ text: String) throws -> String { try bench.folder.write("policy.yaml", text) }

  // MARK: The outcome

  @Test func healthy() throws {
    let accepting = try policy("version: 1\naccept: {data: true, calibration: true}\n")
    let result = try spectroscope("gate", write([]), "--policy", accepting)
    #expect(result.stdout.hasPrefix("healthy: nothing was found that fails\n"), "\(result.stdout)")
    #expect(result.stderr == "" && result.status == 0)
  }

  @Test func alert() throws {
    let result = try spectroscope("gate", write([Self.alphaIsZero, Self.nonFinite]))
    #expect(
      result.stdout.hasPrefix(
        """
        alert: 2 findings fail, the first from step 10 on; the last checkpoint before it is 5
        alert SP105 alpha-is-zero: lora_alpha is 0 (module lm_head)
        alert SP104 non-finite-values: step 10: NaN\\u{1b}[2J

        """), "\(result.stdout)")
    #expect(result.stderr == "" && result.status == 1)
  }

  @Test func inconclusive() throws {
    let file = try write([], steps: [5])
    let result = try spectroscope("gate", file)
    #expect(result.stdout.hasPrefix("inconclusive: nothing fails, and ") && result.stdout.contains("\nnot judged: "))
    #expect(result.stderr == "" && result.status == 2)
  }

  @Test func aPolicyDecides() throws {
    let file = try write([Self.alphaIsZero])
    let silencing = try policy(
      "version: 1\naccept: {data: true, calibration: true}\nrules:\n  SP105: {silence: true, reason: a placeholder}\n")
    let result = try spectroscope("gate", file, "--policy", silencing)
    #expect(
      result.stdout.hasPrefix(
        """
        healthy: nothing fails; 1 finding silenced
        silenced SP105 alpha-is-zero: lora_alpha is 0 (module lm_head) [silenced: a placeholder]

        """), "\(result.stdout)")
    #expect(result.status == 0)
  }

  @Test func aCollapsedRunIsAnalysedAndFails() throws {
    let run = bench.path("run")
    let trained = try spectroscope(
      "train", "--method", "pissa", "--learning-rate", "1e-2", "--steps", "15", "--out", run, "--quiet")
    try #require(trained.status == 0, "\(trained.stderr)")
    let before = try FileManager.default.subpathsOfDirectory(atPath: run).sorted()
    let result = try spectroscope("gate", run)
    #expect(result.stdout.hasPrefix("alert: ") && result.status == 1, "\(result.stdout)")
    #expect(result.stderr == "\(run) is not analysed yet: it is analysed, at depth update\n")
    #expect(try FileManager.default.subpathsOfDirectory(atPath: run).sorted() == before)
    try #require(try spectroscope("analyze", run, "--depth", "update", "--quiet").status == 0)
    #expect(
      try spectroscope("gate", run + "/analysis.h5", "--quiet", "--json").stdout.contains("\"outcome\": \"alert\""))
    try FileManager.default.copyItem(atPath: run + "/analysis.h5", toPath: bench.path("copy.h5"))
    #expect(try spectroscope("gate", bench.path("copy.h5")).status == 1, "what the log showed is in the analysis")
    let pack = bench.path("run.pack")
    try #require(try spectroscope("pack", run, "--out", pack, "--quiet").status == 0)
    let packed = try spectroscope("gate", pack, "--quiet", "--json")
    #expect(packed.status == 1 && packed.stderr == "")
    #expect(try JSONValue(parsing: packed.stdout)["outcome"] == "alert")
  }

  // MARK: What is analysed

  @Test func anAnalysisIsTakenWhileItIsComplete() throws {
    let run = bench.path("run")
    try ReferenceRun.write(ReferenceCase.named("continued-initial"), method: "lora", to: run)
    let analysis = try write([Self.alphaIsZero], steps: [5, 10, 20], to: run + "/analysis.h5")
    let result = try spectroscope("gate", run)
    #expect(result.stderr == "" && result.status == 1)
    let old = try Data(contentsOf: URL(filePath: try write([], steps: [5, 10], to: analysis)))
    let renewed = try spectroscope("gate", run)
    #expect(
      renewed.stderr == "the analysis of \(run) ends before checkpoint 20: it is analysed anew, at depth update\n")
    #expect([0, 1, 2].contains(renewed.status))
    #expect(try Data(contentsOf: URL(filePath: analysis)) == old, "the run's own analysis stays")
  }

  @Test func checkpointsOfOtherTrainersNeedABase() throws {
    let result = try spectroscope("gate", Reference.lora)
    #expect(
      result.stderr
        == "Error: \(Reference.lora) is not analysed yet. To have it analysed, pass its base model's folder with --base\n"
    )
    #expect(result.status == 64 && result.stdout == "")
    let judged = try spectroscope("gate", Reference.lora, "--base", Reference.llama, "--quiet", "--json")
    #expect([0, 1, 2].contains(judged.status) && judged.stderr == "")
    let json = try JSONValue(parsing: judged.stdout)
    #expect(json["exit_code"] == .integer(Int(judged.status)) && json["depth"] == "update" && json["method"] == "lora")
  }

  // MARK: Errors

  @Test func errorsKeepTheirCodes() throws {
    #expect(try spectroscope("gate", bench.path("none")).status == 66)
    #expect(try spectroscope("gate", bench.folder.write("text", "no analysis")).status == 65)
    #expect(try spectroscope("gate", Reference.lora, "--base", bench.path("none")).status == 66)
    #expect(try spectroscope("gate", Reference.lora, "--base", Reference.gpt2).status == 65)
    let file = try write([])
    #expect(try spectroscope("gate", file, "--policy", bench.path("none")).status == 66)
    #expect(try spectroscope("gate", file, "--out", bench.path("none/out")).status == 73)
    let broken = try spectroscope("gate", file, "--policy", policy("version: 1\nfail-on: never\n"))
    #expect(
      broken.stderr
        == bench.filled("Error: {}/policy.yaml: line 2: fail-on: expected alert or warning, found \"never\"\n"))
    #expect(broken.status == 65 && broken.stdout == "")
  }

  // MARK: Output

  @Test(arguments: ["text", "json", "sarif", "junit", "github", "markdown"])
  func everyFormatHasTheSameCode(format: String) throws {
    let file = try write([Self.nonFinite])
    let printed = try spectroscope("gate", file, "--format", format)
    #expect(printed.status == 1 && printed.stdout.contains("SP104"))
    let written = try spectroscope("gate", file, "--format", format, "--out", bench.path("report"))
    #expect(written.status == 1 && written.stdout == "")
    #expect(try String(contentsOfFile: bench.path("report"), encoding: .utf8) == printed.stdout)
    let quiet = try spectroscope("gate", file, "--format", format, "--quiet")
    #expect(quiet.stdout == (format == "text" ? "" : printed.stdout) && quiet.status == 1)
  }

  @Test func theSchemaIsPublished() throws {
    let result = try spectroscope("gate", "--schema")
    let schema = try JSONValue(parsing: result.stdout)
    #expect(schema["$schema"] == "https://json-schema.org/draft/2020-12/schema")
    #expect(result.stderr == "" && result.status == 0)
  }
}
