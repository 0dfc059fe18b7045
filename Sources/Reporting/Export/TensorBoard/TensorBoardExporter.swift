import RunStore
import Weights

/// TensorBoard's event file, one for a run.
enum TensorBoardExporter: Exporter {
  static func export(
    _ analysis: Analysis, training: TrainingRecords?, to folder: String
  ) throws(FileError) -> [String] {
    let path = "\(folder)/\(EventRecord.fileName)"
    let curves = TensorBoardCurves(analysis, training: training)
    var file = PendingFile(for: path)
    try file.write(([nil] + curves.steps).lazy.map { $0.map { curves.record(at: $0).bytes } ?? curves.start })
    try file.commit()
    return [path]
  }
}
