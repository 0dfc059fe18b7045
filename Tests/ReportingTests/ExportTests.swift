import Diagnosis
import Reporting
import RunStore
import Spectra
import Testing
import Weights

@Suite struct ExportTests {
  // MARK: Numbers

  /// Numbers whose shortest form is not obvious: ties, subnormals, both ends of the range, and a third.
  private static let numbers = [
    0.1, 1.0 / 3, .leastNonzeroMagnitude, .leastNormalMagnitude, .greatestFiniteMagnitude, 9_007_199_254_740_992, 1e16,
    1e-5,
    0.30000000000000004, 6.02214076e23, 1, 0,
  ]

  @Test func numbersReadBackToTheSameBits() throws {
    let analysis = Analysis(rows: [row(3, "q", values: Self.numbers)])
    let cells = records(ofCSV: try exported(analysis, as: .csv, "singular_values.csv"))
    #expect(cells.first == ["step", "module", "delta", "index", "value"])
    #expect(cells.count == 1 + Self.numbers.count)
    for (index, (cells, number)) in zip(cells.dropFirst(), Self.numbers).enumerated() {
      #expect(cells.prefix(4) == ["3", "q", "init", String(index)])
      #expect(Double(cells[4])?.bitPattern == number.bitPattern, "\(cells[4])")
      #expect(cells[4].count <= number.description.count, "not the shortest form: \(cells[4])")
    }
  }

  @Test func metricsAreColumnsCountsHaveNoFractionAndGapsAreEmpty() throws {
    let analysis = Analysis(rows: [
      row(
        5, "q", metrics: [.rows: 576, .columns: 64, .rank: 4, .numericalRank: 3, .frobeniusNorm: 2, .relativeNorm: 0.1]),
      row(5, "q", .previous, metrics: [.rows: 576, .columns: 64, .stableRank: .nan, .frobeniusNorm: .infinity]),
    ])
    let found = records(ofCSV: try exported(analysis, as: .csv, "modules.csv"))
    #expect(found[0] == ["step", "module", "method", "delta"] + Metric.allCases.map(\.rawValue))
    #expect(found.count == 3 && found.allSatisfy { $0.count == found[0].count })
    let rows = found.dropFirst().map { Dictionary(uniqueKeysWithValues: zip(found[0], $0)) }
    #expect(rows[0]["step"] == "5" && rows[0]["module"] == "q" && rows[0]["method"] == "lora")
    #expect(rows.map { $0["delta"] } == ["init", "previous"])
    #expect(rows[0]["rows"] == "576" && rows[0]["rank"] == "4" && rows[0]["numerical_rank"] == "3")
    #expect(rows[0]["frobenius_norm"].flatMap(Double.init) == 2 && rows[0]["relative_norm"] == "0.1")
    #expect(rows[0]["k_gap"] == "" && rows[1]["rank"] == "" && rows[1]["stable_rank"] == "")
    #expect(rows[1]["frobenius_norm"] == "", "CSV has no infinity that every reader knows")
  }

  // MARK: Text

  @Test(arguments: [
    ("plain", "plain"), ("a,b", #""a,b""#), (#"say "no""#, #""say ""no""""#), ("two\nlines", "\"two\nlines\""),
    ("old\rMac", "\"old\rMac\""), ("DOS\r\nend", "\"DOS\r\nend\""), ("größe · ‖ΔW‖", "größe · ‖ΔW‖"),
    // A combining accent makes one Swift character of itself and what stands before it.
    ("x,\u{301}y", "\"x,\u{301}y\""), ("x\"\u{301}y", "\"x\"\"\u{301}y\""),
  ])
  func textIsQuotedWhereItMust(text: String, cell: String) throws {
    let analysis = Analysis(rows: [row(1, text, values: [2])])
    let expected = "step,module,delta,index,value\n1,\(cell),init,0,2.0\n"
    let found = try exported(analysis, as: .csv, "singular_values.csv")
    #expect(Array(found.utf8) == Array(expected.utf8))
    let read = records(ofCSV: found)
    #expect(read.count == 2 && read[1].count == 5)
    #expect(read.last.map { Array($0[1].utf8) } == Array(text.utf8))
  }

  @Test func findingsAreATable() throws {
    let analysis = Analysis(findings: [
      Finding(
        step: 20, code: "SP201", name: "fast", severity: .alert, module: "q", value: 0.5, threshold: 0.25,
        baseline: 0.125, pValue: 1e-9, effectSize: 2, cause: .stepSize, message: "a, \"b\"", remedy: "r"),
      Finding(code: "SP109", name: "not-analysed", severity: .info, message: "c"),
    ])
    let found = records(ofCSV: try exported(analysis, as: .csv, "findings.csv"))
    #expect(
      found == [
        [
          "step", "code", "name", "severity", "module", "value", "threshold", "baseline", "p_value", "message",
          "effect_size", "cause", "remedy",
        ],
        ["20", "SP201", "fast", "alert", "q", "0.5", "0.25", "0.125", "1e-09", "a, \"b\"", "2.0", "step-size", "r"],
        ["", "SP109", "not-analysed", "info", "", "", "", "", "", "c", "", "", ""],
      ])
  }

  // MARK: JSON

  @Test func jsonHoldsTheSameAsCSV() throws {
    let analysis = Analysis(
      rows: [
        row(5, "a,\"b\"\n", values: Self.numbers, metrics: [.rank: 4, .relativeNorm: 1.0 / 3, .stableRank: .nan]),
        row(5, "q", .previous, metrics: [.frobeniusNorm: 1e-300, .updateVelocity: .leastNonzeroMagnitude]),
      ], findings: [Finding(step: 5, code: "SP101", name: "n", severity: .warning, value: 0.1, message: "m\n")])
    let folder = try exportedJSON(analysis)
    for table in ["modules", "singular_values", "findings"] {
      let found = records(ofCSV: try exported(analysis, as: .csv, table + ".csv"))
      let objects = try #require(folder[table]?.array)
      #expect(objects.count == found.count - 1)
      for (cells, object) in zip(found.dropFirst(), objects) {
        for (column, cell) in zip(found[0], cells) {
          let value = try #require(object[column], "\(table) \(column)")
          #expect(cell == (value.isNull ? "" : value.string ?? value.text()), "\(table) \(column)")
        }
      }
    }
  }

  private func exportedJSON(_ analysis: Analysis) throws -> JSONValue {
    try JSONValue(parsing: Array(try exported(analysis, as: .json, "spectra.json").utf8))
  }

  @Test func anEmptyAnalysisHasItsHeaders() throws {
    #expect(try exported(Analysis(), as: .csv, "singular_values.csv") == "step,module,delta,index,value\n")
    #expect(
      try exported(Analysis(), as: .json, "spectra.json")
        == "{\"modules\":[],\"singular_values\":[],\"findings\":[],\"profiles\":[],\"training\":[],\"verdict\":\"inconclusive\"}\n"
    )
  }
}
