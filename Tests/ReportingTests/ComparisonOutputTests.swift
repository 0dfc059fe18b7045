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
                               step    lora   pissa  ratio
        reward                    5   0.500   0.250  0.500
                                 10   0.500   0.250  0.500
                                 15   0.500   0.250  0.500
        ‖ΔW‖/‖W₀‖                 5   0.100   0.200   2.00
                                 10   0.200   0.400   2.00°
                                 15   0.400   0.800   2.00°
        effective rank ÷ rank     5    1.00    2.00   2.00*
                                 10    1.00    2.00   2.00*
                                 15    1.00    2.00   2.00*
        overlap                   5   0.100   0.600   6.00*
                                 10   0.100   0.600   6.00*
                                 15   0.100   0.600   6.00*
        spectral shift            5  0.0100  0.0400   4.00
                                 10  0.0200  0.0800   4.00°
                                 15  0.0400   0.160   4.00°
        velocity                  5  0.0100  0.0200   2.00
                                 10  0.0100  0.0200   2.00°
                                 15  0.0100  0.0200   2.00°
        """)
    #expect(
      comparison.normTable == """
        at equal ‖ΔW‖/‖W₀‖
                               ‖ΔW‖/‖W₀‖    lora   pissa  ratio
        step                       0.200    10.0     5.0  0.500
                                   0.283    12.5     7.5  0.600
                                   0.400    15.0    10.0  0.667
        reward                     0.200   0.500   0.250  0.500
                                   0.283   0.500   0.250  0.500
                                   0.400   0.500   0.250  0.500
        effective rank ÷ rank      0.200    1.00    2.00   2.00*
                                   0.283    1.00    2.00   2.00*
                                   0.400    1.00    2.00   2.00*
        overlap                    0.200   0.100   0.600   6.00*
                                   0.283   0.100   0.600   6.00*
                                   0.400   0.100   0.600   6.00*
        spectral shift             0.200  0.0200  0.0400   2.00
                                   0.283  0.0300  0.0600   2.00°
                                   0.400  0.0400  0.0800   2.00°
        velocity                   0.200  0.0100  0.0200   2.00
                                   0.283  0.0100  0.0200   2.00°
                                   0.400  0.0100  0.0200   2.00°
        """)
  }

  /// At 0.4 LoRA has its last checkpoint and PiSSA its second.
  @Test func theSentences() throws {
    let comparison = try Comparison(try runs())
    #expect(
      comparison.conclusion == [
        "At the same nominal rate of 0.001 the weights move per step, in times of lora: pissa 2.00 at the first of 3 common "
          + "steps and 2.00 in the median of all.",
        "What remains at ‖ΔW‖/‖W₀‖ = 0.400, in times of lora, in brackets the median at equal steps:",
        "  pissa (at step 10.0, lora at 15.0): reward 0.500 (0.500), spectral shift 2.00 (4.00); by construction: effective "
          + "rank ÷ rank 2.00 (2.00), overlap 6.00 (6.00).",
        "What this cannot tell: runs of equal size have taken unequal numbers of steps, and what time did remains open; every "
          + "setting has one run here, so a difference may be its seed's.",
      ])
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
    #expect(json["reference"] == "lora" && json["base_norm"]?.double == 10 && json["modules"] == ["q"])
    let points = try #require(json["at_step"]?["points"]?.array)
    #expect(points.map { $0["step"] } == [5, 10, 15])
    let pissa = try #require(points[1]["runs"]?.array?.last)
    #expect(pissa["name"] == "pissa" && pissa["values"]?["spectral_shift"] == 0.08)
    #expect(pissa["ratios"]?["spectral_shift"]?.double == 4 && pissa["marks"]?["spectral_shift"] == "start")
    #expect(pissa["marks"]?["overlap"] == "construction" && pissa["marks"]?["reward"] == .null)
    let norms = try #require(json["at_norm"]?["points"]?.array)
    #expect(norms.first?["frobenius_norm"]?.double == 2 && norms.last?["frobenius_norm"]?.double == 4)
    #expect(norms.last?["runs"]?.array?.last?["ratios"]?["spectral_shift"]?.double.map { abs($0 - 2) < 1e-12 } == true)
    #expect(json["runs"]?.array?.last?["norms"]?.array?.map(\.double) == [2, 8])
    #expect(json["conclusion"]?.array?.isEmpty == false && json["notes"] == [])
  }
}
