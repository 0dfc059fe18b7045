import Assessment
import Diagnosis
import Foundation
import OrderedCollections
import Testing
import Weights

struct CorpusTableTests {
  private static func row(_ label: RunLabel, onset: Int? = nil, alarms: OrderedDictionary<String, Int> = [:])
    -> CorpusRow
  {
    var row = CorpusRow(
      run: "grid/lora-lr0.01-seed3", half: .test, base: "letters", task: "counting:2", method: "lora", rank: 4,
      learningRate: 0.01, warmsUp: false, seed: 3, steps: 60,
      course: RunCourse(label: label, shape: .steady, onset: onset, start: 0.5, peak: 0.75, end: 0.25), retention: nil)
    row.signals = ["kl_level": 0.125, "stride_excess": 1.5]
    row.alarms = alarms
    return row
  }

  @Test func aTableReadsBack() throws {
    var collapsed = Self.row(.collapsed, onset: 9, alarms: ["joint_process": 2, "SP201_files1": 3])
    collapsed.cause = .direction
    collapsed.repeats = [.third: .init(learningRate: 0.0025, label: .clean)]
    var clean = Self.row(.clean)
    clean.signals["kl_level"] = nil
    let table = CorpusTable([collapsed, clean])
    let text = table.csv
    #expect(text.split(separator: "\n").count == 3)
    #expect(
      text.contains(
        "\ngrid/lora-lr0.01-seed3,test,letters,counting:2,lora,4,0.01,no,3,60,collapsed,steady,9,0.5,0.75,0.25,,0.125,1.5,2,3,direction,,,0.0025,clean\n"
      ))
    #expect(try CorpusTable(csv: Array(text.utf8)[...], path: "x") == table)
  }

  @Test(arguments: [
    ("run,half\n", "expected a table of runs"), ("RUN\na,b\n", "expected a run, found something else"),
    ("\"", "line 1"),
  ])
  func whatIsNoTableIsRefused(_ text: String, _ problem: String) throws {
    let header = CorpusTable([Self.row(.clean)]).csv.split(separator: "\n")[0]
    let error = #expect(throws: FileError.self) {
      try CorpusTable(csv: Array(text.replacing("RUN", with: header).utf8)[...], path: "runs.csv")
    }
    #expect(error.map { "\($0)".contains(problem) } == true, "\(error.map { "\($0)" } ?? "")")
  }

  @Test func anAlarmCountsOnlyBeforeTheOnset() {
    let alarms = [(9, 8), (9, 9), (2, 2), (3, 3), (4, 4), (20, 2)]
    let rows = alarms.map { Self.row(.collapsed, onset: $0.0, alarms: ["joint_process": $0.1, "joint_files1": $0.1]) }
    // In process the update of a fast collapse's own onset is looked at before the next rollout.
    let process = AlarmCount("joint_process", .inProcess, of: rows)
    #expect(process.collapsed == Proportion(4, of: 6) && process.slow == Proportion(2, of: 4))
    let files = AlarmCount("joint_files1", .files(spacing: 1), of: rows)
    #expect(
      files.collapsed == Proportion(2, of: 6) && files.leads == [1, 18] && files.medianLead == 9.5 && files.lowLead == 1
    )
    let others = [
      Self.row(.clean, alarms: ["joint_process": 60]), Self.row(.clean),
      Self.row(.damaged, alarms: ["joint_process": 1]),
    ]
    let count = AlarmCount("joint_process", .inProcess, of: others)
    #expect(
      count.clean == Proportion(1, of: 2) && count.damaged == Proportion(1, of: 1) && count.collapsed.share == nil)
  }

  @Test func theCauseIsWhatAControlShows() {
    func control(_ directions: String, _ label: RunLabel, _ cause: Cause? = nil, rate: Double = 0.01) -> CorpusRow {
      var row = Self.row(label, onset: label == .collapsed ? 5 : nil)
      (row.method, row.cause, row.learningRate) = ("svd-\(directions)-top", cause, rate)
      return row
    }
    let matrix = CauseMatrix([
      control("top", .collapsed, .direction), control("random", .damaged),
      control("top", .collapsed, .direction, rate: 0.1), control("random", .collapsed, nil, rate: 0.1),
      control("bottom", .collapsed, .stepSize),
    ])
    #expect(matrix.count(.direction, named: .direction) == 1 && matrix.total(.direction) == 1)
    #expect(matrix.count(.stepSize, named: .direction) == 1 && matrix.count(.stepSize, named: nil) == 1)
    #expect(matrix.count(.stepSize, named: .stepSize) == 1 && matrix.total(.stepSize) == 3)
  }
}
