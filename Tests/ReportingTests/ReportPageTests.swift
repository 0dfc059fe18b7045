import Diagnosis
import Foundation
import LinearAlgebra
import Reporting
import RunStore
import Spectra
import TestSupport
import Testing
import Weights

/// The page of a report as text: its size, its escaping, its policy, what it says without any script.
@Suite struct ReportPageTests {
  private func page(_ analysis: Analysis, name: String = "run", command: [String] = ["report", "run"]) -> String {
    let run = ComparedRun(name: name, path: name, analysis: analysis, records: TrainingRecords())
    return ReportPage(Report([run], command: command, version: "1.2.3")).html
  }

  /// A run of two modules and two checkpoints.
  private func analysis(module: String = "model.layers.0.self_attn.q_proj", noticed: [Finding] = []) -> Analysis {
    let rows = [5, 10].flatMap { step in
      [module, "model.layers.1.self_attn.q_proj"].flatMap { module in
        [
          row(
            step, module, values: [2, 1],
            metrics: [.rows: 8, .columns: 8, .rank: 2, .k: 2, .relativeNorm: 0.1, .numericalRank: 2, .stableRank: 1.25]),
          row(step, module, .previous, metrics: [.rows: 8, .columns: 8, .updateVelocity: 0.01]),
        ]
      }
    }
    return Analysis(rows: rows, noticed: noticed)
  }

  // MARK: Size

  @Test func twentyCheckpointsOfALargeModel() {
    let size = page(SyntheticAnalysis(checkpoints: 20).analysis).utf8.count
    print("report of 28 layers × 7 modules × 20 checkpoints: \(size) bytes")
    #expect(size < 1_500_000)
  }

  @Test func aHundredCheckpointsOfALargeModel() {
    let size = page(SyntheticAnalysis(checkpoints: 100).analysis).utf8.count
    print("report of 28 layers × 7 modules × 100 checkpoints: \(size) bytes")
    #expect(size < 6_000_000)
  }

  @Test func equalAnalysesMakeEqualPages() {
    #expect(page(analysis()) == page(analysis()))
  }

  // MARK: Safety

  private static let hostile = "</script><img src=x onerror=alert(1)>\"'&\u{2028}\u{202E}{{data}}"

  /// A name can be shown, and can be nothing else: there is no tag in the page but the program's own.
  @Test func hostileNames() throws {
    let name = Self.hostile
    var analysis = analysis(
      module: name,
      noticed: [
        Finding(step: 5, code: "SP109", name: name, severity: .warning, module: name, message: name, remedy: name)
      ])
    analysis.origin = AnalysisOrigin(source: name, base: name, createdBy: name, depth: name, coverage: name)
    analysis.setup.method = name
    let html = page(analysis, name: name, command: ["report", name])
    #expect(!html.contains("<img") && !html.contains("\u{2028}") && !html.contains("\u{202E}"))
    #expect(html.contains("&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;&quot;&#39;&amp;"))
    // A mark of the template in a name is no mark.
    #expect(html.contains("&amp;\\u{2028}\\u{202e}{{data}}"))
    #expect(html.components(separatedBy: "</script>").count == 3)
    #expect(try data(of: html)["runs"]?.array?.first?["modules"]?.array?.contains(.string(name.onOneLine)) == true)
  }

  @Test func escaping() throws {
    #expect("a<b>&\"'".escapedForHTML == "a&lt;b&gt;&amp;&quot;&#39;")
    #expect("e\u{301}<\u{301}".escapedForHTML == "e\u{301}&lt;\u{301}")
    #expect("\u{1B}[31m".escapedForHTML == "\\u{1b}[31m")
    let text = JSONValue.string("</script>\u{2028}\u{2029}<!-- é").text().escapedForScript
    #expect(!text.contains("<") && !text.contains("\u{2028}") && !text.contains("\u{2029}"))
    #expect(try JSONValue(parsing: text) == .string("</script>\u{2028}\u{2029}<!-- é"))
  }

  /// The digests of the policy are those of what stands in the page, and it allows nothing else.
  @Test func thePolicy() throws {
    let html = page(analysis())
    let style = try #require(html.firstMatch(of: /(?s)<style>(.*?)<\/style>/)).1
    let script = try #require(html.firstMatch(of: /(?s)<script>(.*?)<\/script>/)).1
    let policy = try #require(html.firstMatch(of: /Content-Security-Policy" content="([^"]*)"/)).1
    #expect(
      policy == """
        default-src 'none'; style-src '\(digest(style))'; script-src '\(digest(script))'; base-uri 'none'; form-action 'none'
        """)
    #expect(!html.contains(" style=") && !html.contains(" onclick=") && !html.contains("src="))
  }

  private func digest(_ text: Substring) -> String {
    var hash = SHA256()
    hash.update(Array(text.utf8))
    let digits = Array(hash.hexadecimal)
    let bytes = stride(from: 0, to: 64, by: 2).map { UInt8(String(digits[$0...$0 + 1]), radix: 16)! }
    return "sha256-" + Data(bytes).base64EncodedString()
  }

  private func data(of html: String) throws -> JSONValue {
    let text = try #require(html.firstMatch(of: /(?s)<script type="application\/json" id="data">(.*?)<\/script>/)).1
    return try JSONValue(parsing: String(text))
  }

  // MARK: Content

  /// What it says where scripts are off.
  @Test func theEssentialPartIsPlainHTML() throws {
    let finding = Finding(
      step: 5, code: "SP104", name: "non-finite-values", severity: .alert,
      module: "model.layers.1.self_attn.q_proj", value: 3, message: "3 values are not finite")
    let html = page(analysis(noticed: [finding]))
    let plain = html.replacing(/(?s)<script.*?<\/script>/, with: "").replacing(/(?s)<style.*?<\/style>/, with: "")
    for part in [
      "<strong>Alert</strong>", "since step 5", "3 values are not finite.", "<b>What to do</b> ", "What SP104 means",
      "<th scope=\"row\">10</th>", "spectroscope report run", "spectroscope 1.2.3",
      "<dd class=\"name\">model.<wbr>layers.<wbr>1.<wbr>self_attn.<wbr>q_proj</dd>",
    ] { #expect(plain.contains(part), "\(part)") }
  }

  /// The link says what the page is to select.
  @Test func aFindingLeadsToItsPicture() throws {
    let finding = Finding(
      step: 5, code: "SP101", name: "update-is-zero", severity: .alert, module: "model.layers.1.self_attn.q_proj",
      message: "nothing moved")
    let html = page(analysis(noticed: [finding]))
    let link = try #require(html.firstMatch(of: /<a href="#modules" data-select="([^"]*)">See the module<\/a>/)).1
    #expect(
      try JSONValue(parsing: String(link).replacing("&quot;", with: "\"")) == [
        "run": 0, "metric": "relative_norm", "step": 5, "module": "model.layers.1.self_attn.q_proj",
      ])
  }

  private struct Course: CustomTestStringConvertible, Sendable {
    var findings: [(code: String, step: Int, severity: Severity)]
    var text: String
    var testDescription: String { text }
  }

  private static let courses = [
    Course(
      findings: [("SP201", 14, .alert), ("SP401", 21, .alert)],
      text:
        "The weights left their bounds at step 14 (SP201), the reward fell at step 21 (SP401): the weights led by 7 steps."
    ),
    Course(
      findings: [("SP301", 14, .warning), ("SP402", 13, .alert)],
      text:
        "The weights gave a warning at step 14 (SP301), the reward fell at step 13 (SP402): the reward led by 1 step."),
    Course(
      findings: [("SP202", 9, .warning), ("SP301", 3, .info)],
      text: "The weights gave a warning at step 9 (SP202); no fall of the reward is known."),
    Course(
      findings: [("SP401", 8, .alert), ("SP301", 3, .info)],
      text: "The reward fell at step 8 (SP401); the weights gave no warning."),
  ]

  /// When the weights spoke, when the reward fell, and which came first.
  @Test(arguments: courses) private func theLead(course: Course) {
    let findings = course.findings.map {
      Finding(step: $0.step, code: $0.code, name: "name", severity: $0.severity, message: "it happened")
    }
    #expect(page(analysis(noticed: findings)).contains("<p class=\"lead\">\(course.text)</p>"))
  }

  @Test func whatIsMissingIsSaid() {
    let html = page(analysis())
    #expect(html.contains("behaviour: no log of the trainer is joined"))
    #expect(html.contains("energy, alignment and rotation against W₀: analysed at depth update"))
  }

  @Test func numbersThatDoNotChangeAreKeptOnce() throws {
    let metrics = try #require(try data(of: page(analysis()))["runs"]?.array?.first?["metrics"])
    #expect(metrics["rows"]?["isFixed"] == true)
    // Two modules of two bytes.
    #expect(Data(base64Encoded: metrics["rows"]?["data"]?.string ?? "")?.count == 4)
    #expect(metrics["left_overlap"] == nil)
    // One that is known at a single step is missing at the others.
    var analysis = analysis()
    for index in analysis.rows.indices where analysis.rows[index].step == 5 {
      analysis.rows[index].metrics[.stableRank] = nil
    }
    let ranks = try #require(try data(of: page(analysis))["runs"]?.array?.first?["metrics"]?["stable_rank"])
    #expect(ranks["isFixed"] == nil)
    #expect(Data(base64Encoded: ranks["data"]?.string ?? "") == Data([255, 255, 255, 255, 1, 0, 1, 0]))
  }

  /// Runs that cannot be compared are shown all the same, with the reason.
  @Test func runsOverDifferentModules() {
    let runs = [analysis(), analysis(module: "other.layers.0.fc")].enumerated().map { index, analysis in
      var analysis = analysis
      if index == 1 { analysis.rows.removeAll { $0.module.hasPrefix("model") } }
      return ComparedRun(name: "run-\(index)", path: "run-\(index)", analysis: analysis, records: TrainingRecords())
    }
    let html = ReportPage(Report(runs, command: ["report"], version: "1")).html
    #expect(html.contains("Not compared: run-1: expected modules that all runs have"))
  }

  // MARK: Parts

  @Test func theGridOfModules() {
    let grid = ModuleGrid([
      "lm_head", "model.layers.0.mlp.down_proj", "model.layers.0.self_attn.q_proj", "model.layers.2.self_attn.q_proj",
    ])
    #expect(grid.columns == ["q_proj", "down_proj", "lm_head"])
    #expect(grid.rows.map(\.layer) == [0, 2, nil])
    #expect(grid.rows.map(\.cells) == [[2, 1, nil], [3, nil, nil], [nil, nil, 0]])
  }

  /// Names that end alike keep as much as tells them apart.
  @Test func columnsOfEqualEndings() {
    #expect(ModuleGrid(["h.0.attn.proj", "h.0.mlp.proj"]).columns == ["attn.proj", "mlp.proj"])
    #expect(ModuleGrid([]).rows.isEmpty)
  }

  /// Two large random factors are nearly orthogonal: their effective rank is nearly r.
  @Test func whatChanceMakesOfRanks() throws {
    let band = try #require(RankBand(rows: 2000, columns: 3000, rank: 8))
    #expect(band.effectiveRank.lowerBound > 7.9 && band.effectiveRank.upperBound <= 8)
    #expect(band.stableRank.lowerBound > 6 && band.stableRank.upperBound < 8)
    let small = try #require(RankBand(rows: 32, columns: 48, rank: 8))
    #expect(small.stableRank.upperBound < band.stableRank.upperBound)
    #expect(small == RankBand(rows: 32, columns: 48, rank: 8))
    // Products of factors that are drawn in full, and decomposed.
    var random = SeededGenerator(seed: 7)
    let ranks = try (0..<40).compactMap { _ in
      let product = LowRankProduct(
        left: random.normalMatrix(rows: 32, columns: 8), right: random.normalMatrix(rows: 8, columns: 48))
      return try UpdateSpectrum(of: product).effectiveRank
    }
    #expect(ranks.count { small.effectiveRank.contains($0) } >= 34, "\(ranks.sorted()) and \(small.effectiveRank)")
    #expect(RankBand(rows: 32, columns: 48, rank: 17) == nil && RankBand(rows: 32, columns: 48, rank: 0) == nil)
  }
}
