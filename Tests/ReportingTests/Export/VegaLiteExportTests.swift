import Diagnosis
import OrderedCollections
import Reporting
import RunStore
import Spectra
import Testing
import Weights

/// Vega-Lite specifications: their data. That they are valid and can be drawn is for `ExportSlowTests`.
@Suite struct VegaLiteExportTests {
  private func charts(of analysis: Analysis, training: TrainingRecords? = nil) throws -> [String: JSONValue] {
    try ExportSamples.files(of: analysis, training: training, as: .vegaLite).mapValues { try JSONValue(parsing: $0) }
  }

  @Test func everyChartHasItsDataAndTheOnsets() throws {
    let charts = try charts(of: ExportSamples.odd, training: try ExportSamples.oddTraining())
    #expect(
      charts.keys.sorted() == [
        "effective_rank.vl.json", "energy.vl.json", "singular_values.vl.json", "training.vl.json", "velocity.vl.json",
      ])
    for (name, chart) in charts {
      #expect(chart["$schema"] == "https://vega.github.io/schema/vega-lite/v5.json")
      #expect(chart["title"]?["subtitle"]?.array?.last == "run <script>, method lora")
      #expect(
        chart["datasets"]?["onsets"] == [
          ["step": 5, "codes": "SP303", "color": "#E69F00"], ["step": 10, "codes": "SP201", "color": "#D55E00"],
        ], "\(name)")
    }
    let energies = try #require(charts["energy.vl.json"]?["datasets"]?["values"]?.array)
    #expect(energies.map { $0["share"] } == [0.5], "a logarithmic axis has no zero")
    let training = try #require(charts["training.vl.json"]?["datasets"]?["training"]?.array)
    #expect(
      training
        == [
          ["step": 1, "reward": 0.5], ["step": 3, "kl": 1e-12, "entropy": 0.30000000000000004],
          ["step": 7, "reward": 0, "kl": 0.25],
        ].map(Self.withNumbers))
  }

  /// Whole numbers read back as integers.
  private static func withNumbers(_ row: JSONValue) -> JSONValue {
    .object(
      row.object!.reduce(into: [:]) { object, member in
        object[member.key] = member.key == "step" ? member.value : .number(member.value.double!)
      })
  }

  /// Values that are nothing but rounding would stretch a logarithmic axis over all magnitudes there are.
  @Test func singularValuesBeyondTheNumericalRankAreLeftOut() throws {
    let rows = [row(1, "q", values: [2, 1, 1e-17], metrics: [.numericalRank: 2]), row(2, "q", values: [2, 0])]
    let chart = try #require(try charts(of: Analysis(rows: rows))["singular_values.vl.json"])
    let values = try #require(chart["datasets"]?["values"]?.array)
    #expect(values.map { $0["value"] } == [2.0, 1.0, 2.0] && values.map { $0["index"] } == [0, 1, 0])
  }

  @Test func ofManyModulesTwelveHaveAPanel() throws {
    let rows = (0..<100).map { row(1, "m.\($0)", values: [1], metrics: [.relativeNorm: Double($0)]) }
    let chart = try #require(try charts(of: Analysis(rows: rows))["singular_values.vl.json"])
    let modules = chart["datasets"]?["values"]?.array?.compactMap { $0["module"]?.string }
    #expect(modules == (88..<100).map { "m.\($0)" })
    #expect(
      chart["title"]?["subtitle"]?.array?.first
        == "the 12 of 100 modules that findings name or that moved furthest"
    )
  }

  @Test func whereThereIsNothingToDrawThereIsNoChart() throws {
    #expect(try charts(of: Analysis()).isEmpty)
    #expect(try charts(of: Analysis(), training: try ExportSamples.training(#"{"step": 1, "own": 2}"#)).isEmpty)
  }
}
