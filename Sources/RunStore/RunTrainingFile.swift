import OrderedCollections
import Weights

/// The records of training as datasets, `training.h5`, for h5py, xarray and h5web.
///
///     /                    format, format_version, default
///     /training/step [T]   int64, ascending; step and module are dimension scales
///     /training/module [M] text, in natural order; where a column has numbers by module
///     /training/<column>   [T] float64, or [T, M] for numbers by module; NaN where undefined
enum TrainingFile {
  private static let format = HDF5Format(
    name: "spectroscope-training", version: 1, description: "the records of a training run",
    remedy: "It is made again from training.jsonl", remedyForOlder: "It is made again from training.jsonl")

  /// Writes the file whole; throws `.cannotCreate` or `.cannotWrite`.
  static func write(_ records: TrainingRecords, to path: String) throws(FileError) {
    try HDF5File.write(to: path) { (root) throws(FileError) in
      try format.write(to: root)
      try root.setAttribute("NX_class", "NXroot")
      try root.setAttribute("default", "training")
      try write(records, to: root)
    }
  }

  /// Writes the group `training`.
  static func write(_ records: TrainingRecords, to root: borrowing HDF5Group) throws(FileError) {
    let columns = records.columns.subtracting(records.seriesColumns)
    let group = try root.createGroup("training")
    try write(records, columns: columns, to: group)
    try writePlot(of: columns, to: group)
  }

  private static func write(
    _ records: TrainingRecords, columns: OrderedSet<String>, to group: borrowing HDF5Group
  ) throws(FileError) {
    let rows = records.records
    let step = try group.write(rows.map(\.step), shape: [rows.count], named: "step")
    try step.makeScale("step")
    try step.setAttribute("long_name", "training step")
    for column in columns {
      let values = rows.map { $0.values[column].flatMap { $0 } ?? .nan }
      try group.write(values, shape: [rows.count], named: column).attach(step, toDimension: 0)
    }
    if records.seriesColumns.isEmpty { return }
    let modules = records.modules
    let module = try group.write(modules, named: "module")
    try module.makeScale("module")
    for column in records.seriesColumns {
      let values = rows.flatMap { row in
        modules.map { row.series[column]?[$0].flatMap { $0 } ?? .nan }
      }
      let dataset = try group.write(values, shape: [rows.count, modules.count], named: column)
      try dataset.attach(step, toDimension: 0)
      try dataset.attach(module, toDimension: 1)
    }
  }

  /// What NeXus viewers draw by themselves: the reward over the steps.
  private static func writePlot(of columns: OrderedSet<String>, to group: borrowing HDF5Group) throws(FileError) {
    guard let signal = ["reward", "loss"].first(where: columns.contains) ?? columns.first else { return }
    try group.setAttribute("NX_class", "NXdata")
    try group.setAttribute("signal", signal)
    try group.setAttribute("axes", ["step"])
    try group.write(text: "Training", named: "title")
  }
}
