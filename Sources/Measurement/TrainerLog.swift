import Adapters
import Foundation
import RunStore
import Weights

/// What the trainer of a series recorded, from the logs that were named or that lie with it.
struct TrainerLog {
  let records: TrainingRecords
  let remarks: [AdapterRemark]

  /// - Throws: `FileError` for a log that was named and cannot be read. One that merely lies with the source is then left out, with a remark.
  init(_ options: MeasurementOptions) throws(FileError) {
    guard options.logs.isEmpty else {
      var records = TrainingRecords()
      for path in options.logs { records = records.merging(try TrainingLog.read(path: path).records) }
      (self.records, remarks) = (records, [])
      return
    }
    if let run = options.run {
      (records, remarks) = (try TrainingRecords(path: run.files + "/" + RunLayout.records), [])
      return
    }
    do throws(FileError) {
      let log = try TrainingLog.find(in: options.source)
      records = log?.records ?? TrainingRecords()
      remarks = (log?.remarks ?? []).map { AdapterRemark(.damagedLog, "\($0)") }
    } catch {
      (records, remarks) = (TrainingRecords(), [AdapterRemark(.damagedLog, "\(error)")])
    }
  }
}
