import Diagnosis
import Foundation
import RunStore
import Spectra
import TestSupport
import Testing
import Weights

/// The page in a browser: `Tests/References/check_report.mjs` opens it and uses it. Needs Chromium and Node.
@Suite(.tags(.slow), .enabled(if: slowTestsEnabled, "Set SPECTROSCOPE_SLOW_TESTS=1."))
struct ReportSlowTests {
  let folder = try! TemporaryFolder()

  private static let hostile = "</script><img src=x onerror=alert(1)>"

  @Test func aBrowserShowsAndUsesThePages() throws {
    let demo = folder.path("demo")
    try #require(try spectroscope("demo", "--out", demo, "--quiet").status == 0)
    let expected: JSONValue = [
      "demo": try known(of: demo), "hostile": ["page": .string(try hostilePage()), "name": .string(Self.hostile)],
      "large": ["page": .string(try largePage())],
    ]
    let file = try folder.write("expected.json", expected.text())
    let script = repositoryRoot + "/Tests/References/check_report.mjs"
    let screenshots = ProcessInfo.processInfo.environment["SPECTROSCOPE_SCREENSHOTS"].map { [$0] } ?? []
    let checked = try run("/usr/bin/env", ["node", script, file] + screenshots)
    print(checked.stdout)
    #expect(checked.status == 0, "\(checked.stderr)")
  }

  /// What other commands say of the demo's runs.
  private func known(of demo: String) throws -> JSONValue {
    let runs = try ["lora", "pissa"].map { name -> JSONValue in
      let json = try JSONValue(parsing: try spectroscope("diagnose", demo + "/" + name, "--json").stdout)
      let findings = json["findings"]?.array ?? []
      let steps = { (code: String) in findings.first { $0["code"]?.string == code }?["step"]?.int }
      var codes: [String] = []
      for code in findings.compactMap({ $0["code"]?.string }) where !codes.contains(code) { codes.append(code) }
      let fall = [steps("SP401"), steps("SP402")].compactMap { $0 }.min() ?? 0
      let first = ["SP201", "SP202"].compactMap(steps).min() ?? 0
      return [
        "verdict": .string(name == "lora" ? "Healthy" : "Alert"), "onset": json["onset"] ?? .null,
        "lastHealthy": json["last_healthy_checkpoint"] ?? .null, "codes": .array(codes.map(JSONValue.string)),
        "lead": .integer(fall - first),
      ]
    }
    return ["page": .string(demo + "/report.html"), "runs": .array(runs), "cell": try cell(of: demo + "/pissa")]
  }

  /// One number of the analysis, as the page shows it.
  private func cell(of run: String) throws -> JSONValue {
    let analysis = try AnalysisFile.read(from: run + "/analysis.h5")
    let row = try #require(
      analysis.rows.first { $0.step == 24 && $0.delta == .initial && $0.module.hasSuffix("1.mlp.up_proj") })
    let value = try #require(row.metrics[.stableRank])
    return [
      "module": .string(row.module), "step": 24, "metric": "stable_rank",
      "text": .string(String(format: "%.2f", value)),
    ]
  }

  private func hostilePage() throws -> String {
    var analysis = SyntheticAnalysis(checkpoints: 2).analysis
    for index in analysis.rows.indices where analysis.rows[index].module == "model.layers.0.self_attn.q_proj" {
      analysis.rows[index].module = Self.hostile
    }
    (analysis.origin.source, analysis.origin.base, analysis.setup.method) = (Self.hostile, Self.hostile, Self.hostile)
    // A file's name cannot hold a slash.
    let name = Self.hostile.replacing("/", with: "∕")
    let path = folder.path(name + ".h5")
    try AnalysisFile.write(analysis, to: path)
    return try report(path, "hostile.html")
  }

  private func largePage() throws -> String {
    try AnalysisFile.write(SyntheticAnalysis(checkpoints: 100).analysis, to: folder.path("large.h5"))
    return try report(folder.path("large.h5"), "large.html")
  }

  private func report(_ path: String, _ name: String) throws -> String {
    let made = try spectroscope("report", path, "--out", folder.path(name), "--quiet")
    try #require(made.status == 0, "\(made.stderr)")
    return folder.path(name)
  }
}
