import Diagnosis
import Reporting
import RunStore
import Spectra
import Testing
import Weights

@Suite struct AnalysisSummaryTests {
  /// Two steps of three and four modules, whose medians are the middle value and the mean of the middle two.
  private let analysis = Analysis(
    origin: AnalysisOrigin(source: "runs/a", base: "bases/b", depth: "update", coverage: "4/4 modules"),
    rows: [
      row(10, "d", metrics: [.relativeNorm: 0.04]), row(10, "a", metrics: [.relativeNorm: 0.03, .effectiveRank: 3.5]),
      row(10, "b", metrics: [.relativeNorm: 0.01, .effectiveRank: 1.5]), row(10, "c", metrics: [.relativeNorm: 0.02]),
      row(5, "a", metrics: [.relativeNorm: 0.5, .rank: 4]), row(5, "b", metrics: [.relativeNorm: 0.001]),
      row(5, "c", metrics: [.relativeNorm: 0.002]), row(5, "a", .pretrained, metrics: [.relativeNorm: 99]),
      row(5, "a", .previous, metrics: [.updateVelocity: 0.1, .relativeNorm: 99]),
    ],
    findings: [
      Finding(step: 5, code: "SP109", name: "not-analysed", severity: .info, message: "one"),
      Finding(code: "SP105", name: "alpha-is-zero", severity: .alert, message: "two"),
      Finding(step: 7, code: "SP107", name: "rank-off", severity: .warning, message: "three"),
    ])

  @Test func theTableShowsMediansByStep() {
    let lines = AnalysisSummary(analysis).table.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
    #expect(lines[1] == ["5", "3", "0.00200", "0.100", "–", "–", "4.00", "–"])
    #expect(lines[2] == ["10", "4", "0.0250", "–", "2.50", "–", "–", "–"])
    #expect(lines.last?.joined(separator: " ").contains("ΔW since initialisation") == true)
  }

  @Test func jsonHasTheMediansWithFullPrecision() throws {
    let json = AnalysisSummary(analysis).json(output: "out.h5")
    #expect(json["out"] == "out.h5" && json["source"] == "runs/a" && json["base"] == "bases/b")
    #expect(json["delta"] == "init")
    #expect(json["depth"] == "update" && json["coverage"] == "4/4 modules")
    let steps = try #require(json["steps"]?.array)
    #expect(steps.map { $0["step"]?.int } == [5, 10] && steps.map { $0["modules"]?.int } == [3, 4])
    #expect(steps.map { $0["relative_norm"]?.double } == [0.002, 0.025])
    #expect(steps[0]["effective_rank"] == .null && steps[1]["effective_rank"] == 2.5)
    #expect(json["findings"]?.array?.count == 3)
  }

  @Test func alertsComeFirst() {
    #expect(
      AnalysisSummary(analysis).findings == """
        alert SP105 alpha-is-zero: two
        warning SP107 rank-off: step 7: three
        info SP109 not-analysed: step 5: one
        """)
    #expect(AnalysisSummary(Analysis()).findings.isEmpty)
  }

  /// A start that is unknown leaves `pretrained` or `previous`, and the caption must not call that "initialisation".
  @Test(arguments: [(Delta.pretrained, "the pretrained"), (.previous, "the previous checkpoint")])
  func theCaptionNamesTheDeltaThatIsShown(delta: Delta, caption: String) {
    let table = AnalysisSummary(Analysis(rows: [row(5, "a", delta, metrics: [.relativeNorm: 0.5])])).table
    #expect(table.contains("ΔW since \(caption)"))
    #expect(!table.contains("initialisation"))
  }
}
