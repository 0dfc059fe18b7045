import RunStore
import Weights

/// Writes an analysis in one format for other programs. Adding a format adds one conforming type and one case.
package protocol Exporter {
  /// Writes into the folder, which exists, and returns the paths of the files written.
  ///
  /// - Parameter training: what the run recorded; nil where only its analysis is known.
  /// - Throws: `FileError` where a file cannot be written.
  static func export(
    _ analysis: Analysis, training: TrainingRecords?, to folder: String
  ) throws(FileError) -> [String]
}

/// The formats that an analysis can be exported to.
package enum ExportFormat: String, CaseIterable, Sendable {
  case csv, json, parquet, npz, tensorboard
  case vegaLite = "vega-lite"

  package var exporter: any Exporter.Type {
    switch self {
    case .csv: CSVExporter.self
    case .json: JSONExporter.self
    case .parquet: ParquetExporter.self
    case .npz: NumPyExporter.self
    case .tensorboard: TensorBoardExporter.self
    case .vegaLite: VegaLiteExporter.self
    }
  }
}
