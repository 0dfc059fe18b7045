import OrderedCollections

extension TrainingRecords.Record {
  /// Notes a number of the run as a whole. NaN and the infinities become undefined, and are remembered in `nonFinite`.
  mutating func set(_ value: Double?, for column: String) {
    let isFinite = value?.isFinite ?? true
    values.updateValue(isFinite ? value : nil, forKey: column)
    if isFinite { nonFinite.remove(column) } else { nonFinite.insert(column) }
  }

  /// Takes over the columns of another record; of those that both have, only where `overwriting`.
  mutating func take(_ other: Self, overwriting: Bool) {
    for (column, value) in other.values where overwriting || values[column] == nil {
      set(other.nonFinite.contains(column) ? .nan : value, for: column)
    }
    series.merge(other.series) { own, new in overwriting ? new : own }
  }

  /// Leaves out a column of the run as a whole.
  mutating func remove(_ column: String) {
    values.removeValue(forKey: column)
    nonFinite.remove(column)
  }
}

extension TrainingRecords {
  /// Both joined on the step axis: every step of either, with the columns of either; where both have a column at a step, that of `self`.
  package func merging(_ other: TrainingRecords) -> TrainingRecords {
    var joined = self
    for record in other.records { joined.take(record, overwriting: false) }
    return joined
  }

  /// The same without numbers of single modules, which the spectra have themselves.
  package var withoutModules: TrainingRecords {
    var copy = TrainingRecords()
    for var record in records {
      record.series = [:]
      copy.add(record)
    }
    return copy
  }

  /// Joins a record to that of its step, if there is one.
  mutating func take(_ record: Record, overwriting: Bool) {
    update(at: record.step) { $0.take(record, overwriting: overwriting) }
  }

  /// The same records under our names, which `TrainingColumn` has, and with `kl_increment`.
  func translated() -> TrainingRecords {
    let names = TrainingColumn.names(of: columns.union(seriesColumns))
    var translated = TrainingRecords()
    for record in records {
      var renamed = Record(step: record.step)
      for (column, value) in record.values {
        renamed.set(record.nonFinite.contains(column) ? .nan : value, for: names[column]!)
      }
      for (column, numbers) in record.series { renamed.series[names[column]!] = numbers }
      translated.add(renamed)
    }
    return translated.addingKLIncrement()
  }

  /// With `kl_increment` wherever there is a `kl`, unless it was recorded: (kl − kl of the record before that has one) ÷ the steps between
  /// them; undefined where either is.
  func addingKLIncrement() -> TrainingRecords {
    let records = records
    guard !records.contains(where: { $0.values.keys.contains("kl_increment") }) else { return self }
    var result = self
    var previous: (step: Int, kl: Double?)?
    for record in records {
      guard let kl = record.values["kl"] else { continue }
      let increment = previous.flatMap { before in
        kl.flatMap { kl in before.kl.map { (kl - $0) / Double(record.step - before.step) } }
      }
      result.update(at: record.step) { $0.set(increment, for: "kl_increment") }
      previous = (record.step, kl)
    }
    return result
  }
}
