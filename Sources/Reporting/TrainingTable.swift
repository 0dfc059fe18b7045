import OrderedCollections
import RunStore
import Weights

extension AnalysisTable {
  /// The columns of `training.csv` that stand first, whether there is anything in them or not: TRL's names with `/` as `_`.
  private static let trainingColumns: OrderedSet<String> = [
    "reward", "reward_std", "frac_reward_zero_std", "frac_all_pass", "frac_all_fail", "accuracy", "retention",
    "entropy",
    "kl", "kl_increment", "grad_norm", "step_norm", "clip_ratio_region_mean", "completions_mean_length",
    "completions_clipped_ratio", "learning_rate", "loss",
  ]

  /// `training.csv`: one row a step. Columns of numbers by module come last, one for each module, as `<column>.<module>`.
  package static func training(_ records: TrainingRecords) -> AnalysisTable {
    let columns = trainingColumns.union(records.columns)
    let modules = records.modules
    let series = records.seriesColumns.flatMap { column in modules.map { (column, $0) } }
    return AnalysisTable(
      name: "training", columns: ["step"] + columns + series.map { "\($0).\($1)" },
      rows: records.records.map { record in
        [.integer(record.step)] + columns.map { number(record.values[$0]) }
          + series.map { column, module in number(record.series[column]?[module]) }
      })
  }

  private static func number(_ value: Double??) -> JSONValue { (value ?? nil).map(JSONValue.number) ?? .null }
}
