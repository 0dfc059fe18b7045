import Diagnosis
import OrderedCollections
import Training
import Weights

extension RunEvidence {
  /// What rules see of an analysed run.
  ///
  /// - Parameter records: what training recorded, joined with the spectra on the step axis.
  package init(_ analysis: Analysis, records: TrainingRecords?) {
    self.init(
      rows: analysis.rows, reading: analysis.noticed,
      timeline: Timeline(records ?? analysis.training ?? TrainingRecords()),
      setup: analysis.setup, baseNorms: analysis.baseNorms)
  }
}

extension Timeline {
  /// What training recorded.
  package init(_ records: TrainingRecords) {
    self.init(records.records.map(Record.init))
  }
}

extension Timeline.Record {
  /// What one step recorded.
  package init(_ record: TrainingRecords.Record) {
    let values = record.values.compactMap { name, value in value.map { (name, $0) } }
    let modules = record.series.map { column, numbers in
      (column, Dictionary(uniqueKeysWithValues: numbers.compactMap { name, value in value.map { (name, $0) } }))
    }
    self.init(
      step: record.step, values: Dictionary(uniqueKeysWithValues: values), nonFinite: record.nonFinite,
      modules: Dictionary(uniqueKeysWithValues: modules))
  }

  /// The same while training goes on.
  init(_ record: TrainingRecord, path: String) throws(FileError) {
    do throws(RecordError) {
      self.init(try TrainingRecords.Record(json: record.json))
    } catch {
      throw FileError(.cannotWrite, path: path, error.problem)
    }
  }
}

extension Analysis {
  /// The verdict on the run, with rules as they are now.
  package func verdict(records: TrainingRecords?) -> Verdict { Verdict(on: RunEvidence(self, records: records)) }
}
