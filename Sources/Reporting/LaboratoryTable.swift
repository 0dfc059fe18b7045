import Diagnosis
import Foundation
import OrderedCollections
import RunStore
import Weights

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
          "method", "learning_rate", "seed", "rank", "base", "steps", "start_accuracy", "final_accuracy", "retention",
          "label", "seconds",
        ],
        rows: outcomes.map { run in
          [
            .string(run.method), .number(run.learningRate), .integer(run.seed),
            run.rank.map(JSONValue.integer) ?? .null, .string(run.base), .integer(run.steps),
            .number(run.startAccuracy), .number(run.finalAccuracy), run.retention.map(JSONValue.number) ?? .null,
            .string(run.label.rawValue), .number(run.seconds),
          ]
        }))
  }

  /// `critical.csv`: one row for runs that differ in rate and seed alone, with the median of the seeds' critical rates and the lowest and
  /// highest of them. Each has a column that says whether it is `at` the number, `above` or `below` it.
  package var critical: String {
    CSVExporter.text(
      of: AnalysisTable(
        name: "critical",
        columns: [
          "method", "rank", "base", "seeds", "relation", "critical_learning_rate", "lowest_relation", "lowest",
          "highest_relation", "highest",
        ],
        rows: groups.map { group, runs in
          let (rates, rank) = (rates(runs), group.rank.map(JSONValue.integer) ?? .null)
          let spread = CriticalRate.Spread(rates)
          return [.string(group.method), rank, .string(group.base), .integer(rates.count)]
            + [spread?.median, spread?.lowest, spread?.highest].flatMap(Self.cells)
        }))
  }

  private static func cells(_ rate: CriticalRate?) -> [JSONValue] {
    rate.map { [.string($0.relation), .number($0.rate)] } ?? [.null, .null]
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
