import OrderedCollections
import Weights

/// The records of training as datasets, `training.h5`, for h5py, xarray and h5web.
///
///     /                    format, format_version, default
///     /training/step [T]   int64, ascending; step and module are dimension scales
///     /training/module [M] text, in natural order; where a column has numbers by module
///     /training/<column>   [T] float64, or [T, M] for numbers by module; NaN where undefined
///     /training/non_finite/<column>  int64, the steps at which the log has NaN or an infinity there; where it has any
enum TrainingFile {
  private static let format = HDF5Format(
    name: "spectroscope-training", version: 1, description: "the records of a training run",
    remedy: "It is made again from training.jsonl", remedyForOlder: "It is made again from training.jsonl")

  private static let nonFinite = "non_finite"

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
    try writeNonFinite(of: rows, columns, to: group)
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

  private static func writeNonFinite(
    of rows: [TrainingRecords.Record], _ columns: OrderedSet<String>, to group: borrowing HDF5Group
  ) throws(FileError) {
    let columns = columns.filter { column in rows.contains { $0.nonFinite.contains(column) } }
    if columns.isEmpty { return }
    let target = try group.createGroup(nonFinite)
    for column in columns {
      let steps = rows.filter { $0.nonFinite.contains(column) }.map(\.step)
      try target.write(steps, shape: [steps.count], named: column)
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

// MARK: - Reading

extension TrainingFile {
  /// Reads the group `training` of a file: every record has every column, in the order of names.
  ///
  /// Throws `.badContent` with the dataset that is damaged.
  static func read(from root: borrowing HDF5Group) throws(FileError) -> TrainingRecords {
    let group = try root.group("training")
    let steps: [Int] = try group.dataset("step").read()
    guard steps.allSatisfy({ $0 >= 0 }), zip(steps, steps.dropFirst()).allSatisfy(<) else {
      throw group.location.child("step").error("expected ascending steps of at least 0, found others")
    }
    let modules = try group.contains("module") ? try group.dataset("module").readTexts() : []
    var rows = steps.map { TrainingRecords.Record(step: $0) }
    for name in try group.members() where !["step", "module", "title", nonFinite].contains(name) {
      try read(try group.dataset(name), named: name, modules: modules, into: &rows)
    }
    if try group.contains(nonFinite) { try readNonFinite(try group.group(nonFinite), into: &rows) }
    var records = TrainingRecords()
    for row in rows { records.add(row) }
    return records
  }

  private static func read(
    _ dataset: borrowing HDF5Dataset, named name: String, modules: [String], into rows: inout [TrainingRecords.Record]
  ) throws(FileError) {
    let shape = try dataset.shape()
    guard shape == [rows.count] || shape == [rows.count, modules.count] else {
      throw dataset.location.error("expected shape \([rows.count]) or \([rows.count, modules.count]), found \(shape)")
    }
    let values: [Double?] = try dataset.read(as: Double.self).map { $0.isNaN ? nil : $0 }
    for index in rows.indices {
      if shape.count == 1 {
        rows[index].values.updateValue(values[index], forKey: name)
      } else {
        let numbers = zip(modules, values[index * modules.count..<(index + 1) * modules.count])
        rows[index].series[name] = OrderedDictionary(numbers) { first, _ in first }
      }
    }
  }

  private static func readNonFinite(
    _ group: borrowing HDF5Group, into rows: inout [TrainingRecords.Record]
  ) throws(FileError) {
    for column in try group.members() {
      let steps = Set(try group.dataset(column).read(as: Int.self))
      for index in rows.indices where steps.contains(rows[index].step) {
        guard rows[index].values[column] == .some(nil) else {
          throw group.location.child(column).error(
            "expected steps at which \(column) is undefined, found \(rows[index].step)")
        }
        rows[index].nonFinite.insert(column)
      }
    }
  }
}
