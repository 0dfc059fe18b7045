import Diagnosis
import OrderedCollections
import RunStore
import Spectra

/// Training runs side by side, step by step: what they earned, and how their weights moved.
package struct RunComparison: Sendable {
  package typealias Run = ComparedRun

  private let runs: [Run]

  package init(_ runs: [Run]) { self.runs = runs }

  /// One column of the table, for each run.
  private enum Quantity: CaseIterable {
    case reward, accuracy, effectiveRank, overlap, velocity, shift

    var title: String {
      switch self {
      case .reward: "reward"
      case .accuracy: "held-out"
      case .effectiveRank: "effective rank"
      case .overlap: "overlap with W₀"
      case .velocity: "velocity"
      case .shift: "shift"
      }
    }
  }

  /// A block for each quantity with a column for each run, a line for each checkpoint.
  package var table: String {
    var table = TextTable(
      columns: [("step", .right)] + Quantity.allCases.flatMap { _ in runs.map { ($0.name, .right) } },
      groups: [("", 1)] + Quantity.allCases.map { ($0.title, runs.count) })
    for step in steps {
      table.add(
        [String(step)]
          + Quantity.allCases.flatMap { quantity in runs.map { value(quantity, of: $0, at: step)?.brief ?? "–" } })
    }
    return table.text
  }

  /// What the columns are.
  package var legend: String {
    """
    reward         mean of the completions drawn since the line before
    held-out       accuracy on problems that training never sees
    effective rank, overlap
                   of ΔW since the start; overlap is the mean cos² of the angles to the leading singular
                   subspaces of W₀; medians over the modules
    velocity       ‖δW‖/‖W₀‖ of one step, and shift how far that moves singular values, to first order;
                   means since the line before
    """
  }

  /// One line a run: whether its reward collapsed, and when.
  package var outcome: String {
    let width = runs.map(\.name.count).max() ?? 0
    return runs.map { run in
      let rewards = run.records.records.compactMap { record in
        record.values["reward"].flatMap { $0 }.map { (step: record.step, reward: $0) }
      }
      let name = run.name + String(repeating: " ", count: width - run.name.count)
      let curve = Sparkline.text(of: rewards.map(\.reward))
      guard let collapse = RewardCollapse(rewards) else { return "\(name)  \(curve)  no collapse" }
      return "\(name)  \(curve)  collapsed at step \(collapse.onset), from a reward of \(collapse.peak.brief)"
    }.joined(separator: "\n")
  }

  /// The steps at which every run has a checkpoint.
  private var steps: [Int] { commonSteps(runs.map { $0.analysis.rows.map(\.step) }) }

  private func value(_ quantity: Quantity, of run: Run, at step: Int) -> Double? {
    switch quantity {
    case .reward: mean("reward", of: run, at: step)
    case .accuracy: run.recorded("accuracy", at: step)
    case .velocity: mean("update_velocity", of: run, at: step)
    case .shift: mean("shift_velocity", of: run, at: step)
    case .effectiveRank: median(run, step) { $0[.effectiveRank] }
    case .overlap:
      median(run, step) { metrics in
        guard let left = metrics[.leftOverlap], let right = metrics[.rightOverlap] else { return nil }
        return (left + right) / 2
      }
    }
  }

  /// The mean of a column since the checkpoint before.
  private func mean(_ column: String, of run: Run, at step: Int) -> Double? {
    run.mean(column, after: steps.last { $0 < step } ?? -1, through: step)
  }

  private func median(_ run: Run, _ step: Int, of value: (MetricValues) -> Double?) -> Double? {
    AnalysisSummary.median(
      run.analysis.rows.filter { $0.step == step && $0.delta == .initial }.compactMap { value($0.metrics) })
  }
}
