import Diagnosis
import Foundation
import OrderedCollections
import RunStore

/// The runs of a grid set against one another: as tables for programs and for the eye.
package struct LaboratoryTable: Sendable {
  /// What runs have in common that differ in rate and seed alone.
  private struct Group: Hashable, Sendable {
    var method: String
    var rank: Int?
    var base: String
  }

  private let outcomes: [RunOutcome]
  private let groups: OrderedDictionary<Group, [RunOutcome]>

  /// - Parameter outcomes: in the order of the grid.
  package init(_ outcomes: [RunOutcome]) {
    self.outcomes = outcomes
    groups = OrderedDictionary(grouping: outcomes) { Group(method: $0.method, rank: $0.rank, base: $0.base) }
  }

  /// The critical rates of a group's seeds; those of which nothing can be said are left out.
  private func rates(_ runs: [RunOutcome]) -> [CriticalRate] {
    OrderedDictionary(grouping: runs, by: \.seed).values.compactMap { runs in
      CriticalRate(
        runs.map {
          CriticalRate.Run(
            learningRate: $0.learningRate, startAccuracy: $0.startAccuracy, finalAccuracy: $0.finalAccuracy)
        })
    }
  }
}

// MARK: - For programs

extension LaboratoryTable {
  /// `summary.csv`: one row a run.
  package var summary: String {
    CSVExporter.text(
      of: AnalysisTable(
        name: "summary",
        columns: [
          .texts("method", outcomes.map(\.method)), .numbers("learning_rate", outcomes.map(\.learningRate)),
          .integers("seed", outcomes.map(\.seed)), .integers("rank", outcomes.map(\.rank)),
          .texts("base", outcomes.map(\.base)), .integers("steps", outcomes.map(\.steps)),
          .numbers("start_accuracy", outcomes.map(\.startAccuracy)),
          .numbers("final_accuracy", outcomes.map(\.finalAccuracy)), .numbers("retention", outcomes.map(\.retention)),
          .texts("label", outcomes.map(\.label.rawValue)), .numbers("seconds", outcomes.map(\.seconds)),
        ]))
  }

  /// `critical.csv`: one row for runs that differ in rate and seed alone, with the median of the seeds' critical rates and the lowest and
  /// highest of them. Each has a column that says whether it is `at` the number, `above` or `below` it.
  package var critical: String {
    let rates = groups.values.map(rates)
    let spreads = rates.map { CriticalRate.Spread($0) }
    func pair(_ relation: String, _ name: String, _ rates: [CriticalRate?]) -> [TableColumn] {
      [.texts(relation, rates.map { $0?.relation }), .numbers(name, rates.map { $0?.rate })]
    }
    return CSVExporter.text(
      of: AnalysisTable(
        name: "critical",
        columns: [
          .texts("method", groups.keys.map(\.method)), .integers("rank", groups.keys.map(\.rank)),
          .texts("base", groups.keys.map(\.base)), .integers("seeds", rates.map(\.count)),
        ] + pair("relation", "critical_learning_rate", spreads.map { $0?.median })
          + pair("lowest_relation", "lowest", spreads.map { $0?.lowest })
          + pair("highest_relation", "highest", spreads.map { $0?.highest })))
  }
}

// MARK: - For the eye

extension LaboratoryTable {
  /// Final accuracies, a line a method and a column a learning rate, and the critical rate.
  package var text: String {
    let learningRates = Set(outcomes.map(\.learningRate)).sorted()
    var table = TextTable(
      columns: [("method", .left)] + learningRates.map { ("\($0)", .left) } + [("critical rate", .left)])
    for (group, runs) in groups {
      table.add(
        [title(group)] + learningRates.map { rate in cell(runs.filter { $0.learningRate == rate }) }
          + [Self.text(CriticalRate.Spread(rates(runs)))])
    }
    return table.text
  }

  /// What the cells are.
  package var legend: String {
    """
    final held-out accuracy, the median over seeds, and how the runs ended: c clean, d damaged, x collapsed, u unlearned;
    critical rate: where accuracy falls through that of the start, the median over seeds, and the lowest and highest
    """
  }

  private func title(_ group: Group) -> String {
    let keys = groups.keys
    var title = group.method
    if Set(keys.compactMap(\.rank)).count > 1, let rank = group.rank { title += " rank \(rank)" }
    if Set(keys.map(\.base)).count > 1 { title += " on \(group.base)" }
    return title
  }

  private func cell(_ runs: [RunOutcome]) -> String {
    guard let accuracy = AnalysisSummary.median(runs.map(\.finalAccuracy)) else { return "–" }
    let counts = RunLabel.allCases.compactMap { label in
      let count = runs.count { $0.label == label }
      return count == 0 ? nil : (count == 1 && runs.count == 1 ? "" : "\(count)") + label.letter
    }
    return String(format: "%.2f ", accuracy) + counts.joined()
  }

  private static func text(_ spread: CriticalRate.Spread?) -> String {
    guard let spread else { return "–" }
    let median = spread.median.map(text) ?? "–"
    return spread.lowest == spread.highest
      ? median : "\(median) (\(text(spread.lowest)) to \(text(spread.highest)))"
  }

  private static func text(_ rate: CriticalRate) -> String {
    switch rate {
    case .at(let rate): rate.brief
    case .above(let rate): "above \(rate)"
    case .below(let rate): "below \(rate)"
    }
  }
}

extension RunLabel {
  fileprivate var letter: String {
    switch self {
    case .clean: "c"
    case .damaged: "d"
    case .collapsed: "x"
    case .unlearned: "u"
    }
  }
}
