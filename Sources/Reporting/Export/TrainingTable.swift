import OrderedCollections
import RunStore

extension AnalysisTable {
  /// The columns of `training` that stand first, whether there is anything in them or not: TRL's names with `/` as `_`.
  private static let trainingColumns: OrderedSet<String> = [
    "reward", "reward_std", "frac_reward_zero_std", "frac_all_pass", "frac_all_fail", "accuracy", "retention",
    "entropy",
    "kl", "kl_increment", "grad_norm", "step_norm", "clip_ratio_region_mean", "completions_mean_length",
    "completions_clipped_ratio", "learning_rate", "loss",
  ]

  /// `training`: one row a step. Columns of numbers by module come last, one for each module, as `<column>.<module>`.
  package static func training(_ training: TrainingRecords) -> AnalysisTable {
    let (records, modules) = (training.records, training.modules)
    let names = trainingColumns.union(training.columns)
    let columns = names.map { name in TableColumn.numbers(name, records.map { $0.values[name] ?? nil }) }
    let series = training.seriesColumns.flatMap { name in
      modules.map { module in
        var title = "\(name).\(module)"
        while names.contains(title) { title += "_" }
        return TableColumn.numbers(title, records.map { $0.series[name]?[module] ?? nil })
      }
    }
    return AnalysisTable(name: "training", columns: [.integers("step", records.map(\.step))] + columns + series)
  }
}
