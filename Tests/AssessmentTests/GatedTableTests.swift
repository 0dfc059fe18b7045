import Assessment
import Diagnosis
import OrderedCollections
import Testing
import Weights

struct GatedTableTests {
  @Test func aTableReadsBack() throws {
    let table = GatedTable([
      GatedRun(.verdict, run: "a/b", label: .clean, accuracy: 0.75, interventions: 1),
      GatedRun(.klLevel, run: "a/c", label: .collapsed, accuracy: 0, interventions: 3),
    ])
    #expect(
      table.csv == "gate,run,label,final_accuracy,interventions\nverdict,a/b,clean,0.75,1\nkl-level,a/c,collapsed,0,3\n"
    )
    #expect(try GatedTable(csv: Array(table.csv.utf8)[...], path: "x") == table)
  }

  @Test(arguments: [
    ("run,label\n", "expected the columns"),
    ("gate,run,label,final_accuracy,interventions\nnone,a,clean,1,0\n", "line 2: expected a run, found something else"),
    ("\"", "line 1"),
  ])
  func whatIsNoTableIsRefused(_ text: String, _ problem: String) {
    let error = #expect(throws: FileError.self) { try GatedTable(csv: Array(text.utf8)[...], path: "x") }
    #expect(error?.description.contains(problem) == true)
  }
}

/// When and how far the gates of the comparison go back.
struct RollbackTests {
  private static func row(_ signal: Signal, _ value: Double) -> CorpusRow {
    var row = CorpusRow(
      run: "a", half: .calibration, base: "b", task: "t", method: "lora", rank: 4, learningRate: 1e-3, warmsUp: false,
      seed: 0, steps: 60, course: RunCourse(label: .clean, shape: .steady, onset: nil, start: 0.5, peak: 1, end: 1),
      retention: nil)
    row.signals = [signal.rawValue: value]
    return row
  }

  private func rollback(
    _ rollback: Rollback, _ signal: Signal, threshold: Double, _ column: String, _ values: [Double]
  ) -> (step: Int, to: Int, factor: Double)? {
    var setup = RunSetup()
    (setup.method, setup.learningRate) = ("lora", 0.03)
    var gate = rollback.gate(setup, SignalThresholds([Self.row(signal, threshold)]))
    for (index, value) in values.enumerated() {
      let record = Timeline.Record(step: index + 1, values: [column: value])
      if case .rollBack(_, let target, let factor) = gate.decide(on: record, checkpoints: { Array(0...index) }) {
        return (index + 1, target, factor)
      }
    }
    return nil
  }

  @Test func aDropOfTheRewardGoesBackToItsPeak() throws {
    let values = [0.5, 0.6, 0.7, 0.8, 0.8, 0, 0, 0]
    let back = try #require(rollback(.rewardDrop, .rewardDrop, threshold: 0.39, "reward", values))
    // The mean was at its peak with the record of step 5, which is of the weights after step 4.
    #expect(back.step == 6 && back.to == 4 && back.factor == 1 / 3.0)
  }

  @Test func aLargeKLGoesBackBeforeItsMedian() throws {
    let values = (1...12).map { $0 < 6 ? 0.1 : 1 }
    let back = try #require(rollback(.klLevel, .klLevel, threshold: 0.5, "kl", values))
    // Three of five are large at step 8; the first of them is that of step 4, of the weights after step 3.
    #expect(back.step == 8 && back.to == 2 && back.factor == 1 / 3.0)
  }
}
