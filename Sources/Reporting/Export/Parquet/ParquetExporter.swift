import RunStore
import Weights

/// Apache Parquet, one file a table, with the columns of the CSV files: whole numbers as int64, numbers as double, texts in UTF-8, and
/// null for "missing".
enum ParquetExporter: Exporter {
  static func export(
    _ analysis: Analysis, training: TrainingRecords?, to folder: String
  ) throws(FileError) -> [String] {
    var paths: [String] = []
    for table in AnalysisTable.all(of: analysis, training: training) {
      let path = "\(folder)/\(table.name).parquet"
      var file = PendingFile(for: path)
      try file.write(ParquetFile(table))
      try file.commit()
      paths.append(path)
    }
    return paths
  }
}
