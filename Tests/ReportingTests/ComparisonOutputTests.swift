import Reporting
import RunStore
import Spectra
import TestSupport
import Testing
import Weights

/// The comparison as text and as JSON.
@Suite struct ComparisonOutputTests {
  /// LoRA and PiSSA with one module of ‖W₀‖_F = 10. Sizes 1, 2, 4 and 2, 4, 8 at steps 5, 10 and 15; PiSSA shifts twice as much at equal size.
  private func runs(count: Int = 2) throws -> [ComparedRun] {
    try (0..<count).map { index in
      let isFirst = index == 0
      let rows = [5, 10, 15].enumerated().flatMap { place, step -> [SpectrumRow] in
        let norm = [1.0, 2, 4][place] * (isFirst ? 1 : 2)
        let method = isFirst ? "lora" : "pissa"
        return [
          row(
            step, "q",
            metrics: [
              .rows: 8, .columns: 8, .k: 2, .rank: 2, .frobeniusNorm: norm, .relativeNorm: norm / 10,
              .effectiveRank: isFirst ? 2 : 4, .spectralShift: norm / (isFirst ? 100 : 50),
              .leftOverlap: isFirst ? 0.1 : 0.6,
              .rightOverlap: isFirst ? 0.1 : 0.6,
            ], method: method),
          row(
            step, "q", .previous,
            metrics: [.rows: 8, .columns: 8, .k: 2, .frobeniusNorm: 1, .updateVelocity: isFirst ? 0.01 : 0.02],
            method: method),
        ]
      }
      let folder = try TemporaryFolder()
      try folder.write(
        "training.jsonl",
        (1...15).map { "{\"step\": \($0), \"reward\": \(isFirst ? 0.5 : 0.25), \"learning_rate\": 0.001}\n" }.joined())
      return ComparedRun(
        name: isFirst ? "lora" : "pissa\(index == 1 ? "" : "-\(index)")", path: "runs/\(index)",
        analysis: Analysis(rows: rows, baseNorms: ["q": 10]),
        records: try TrainingRecords(path: folder.path("training.jsonl")))
    }
  }

  @Test func theTables() throws {
    let comparison = try Comparison(try runs())
    #expect(
      comparison.stepTable == """
        at equal steps
                               step    lora  pissa  ratio
        reward                    5   0.500  0.250  0.500
                                 10   0.500  0.250  0.500
                                 15   0.500  0.250  0.500
        ‖ΔW‖/‖W₀‖                 5   0.100  0.200   2.00
                                 10   0.200  0.400   2.00°
                                 15   0.400  0.800   2.00°
        effective rank ÷ rank     5    1.00   2.00   2.00*
                                 10    1.00   2.00   2.00*
                                 15    1.00   2.00   2.00*
        overlap                   5   0.100  0.600   6.00*
                                 10   0.100  0.600   6.00*
                                 15   0.100  0.600   6.00*
        spectral shift            5  0.0100  0.0400   4.00
                                 10  0.0200  0.0800   4.00°
                                 15  0.0400  0.160   4.00°
        velocity                  5  0.0100  0.0200   2.00
                                 10  0.0100  0.0200   2.00°
                                 15  0.0100  0.0200   2.00°
        """)
    #expect(
      comparison.normTable == """
        at equal ‖ΔW‖/‖W₀‖
                               ‖ΔW‖/‖W₀‖    lora   pissa  ratio
        """)
  }

  @Test func theSentences() throws {
    let comparison = try Comparison(try runs())
    #expect(comparison.conclusion == [""])
    #expect(comparison.notes.isEmpty)
  }

  @Test func noLineIsWiderThanTheTables() throws {
    let comparison = try Comparison(try runs(count: 9))
    let text = [
      comparison.stepTable, comparison.normTable, comparison.legendText, comparison.noteText, comparison.conclusionText,
    ].joined(separator: "\n")
    #expect(text.split(separator: "\n").allSatisfy { $0.count <= 110 })
    // Every run is in some table.
    for index in 2...8 { #expect(comparison.stepTable.contains("pissa-\(index)")) }
  }

  @Test func shownPlacesAreSpreadFromTheFirstToTheLast() {
    #expect(Comparison.spread(12, 3) == [0, 6, 11])
    #expect(Comparison.spread(2, 3) == [0, 1])
    #expect(Comparison.spread(12, 1) == [11])
    #expect(Comparison.spread(5, 5) == [0, 1, 2, 3, 4])
  }

  @Test func json() throws {
    let json = try JSONValue(parsing: try Comparison(try runs()).json.text())
    #expect(json["reference"] == "lora" && json["base_norm"] == 10 && json["modules"] == ["q"])
    let points = try #require(json["at_step"]?["points"]?.array)
    #expect(points.map { $0["step"] } == [5, 10, 15])
    let pissa = try #require(points[1]["runs"]?.array?.last)
    #expect(pissa["name"] == "pissa" && pissa["values"]?["spectral_shift"] == 0.08)
    #expect(pissa["ratios"]?["spectral_shift"] == 4 && pissa["marks"]?["spectral_shift"] == "start")
    #expect(pissa["marks"]?["overlap"] == "construction" && pissa["marks"]?["reward"] == .null)
    let norms = try #require(json["at_norm"]?["points"]?.array)
    #expect(norms.first?["frobenius_norm"] == 2 && norms.last?["frobenius_norm"] == 4)
    #expect(norms.last?["runs"]?.array?.last?["ratios"]?["spectral_shift"]?.double.map { abs($0 - 2) < 1e-12 } == true)
    #expect(json["runs"]?.array?.last?["norms"]?.array == [2, 8])
    #expect(json["conclusion"]?.array?.isEmpty == false && json["notes"] == [])
  }
}
