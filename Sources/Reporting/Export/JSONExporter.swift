import Diagnosis
import OrderedCollections
import RunStore
import Weights

/// One JSON object, `spectra.json`: every table as a list of row objects, null for "missing".
enum JSONExporter: Exporter {
  static func export(
    _ analysis: Analysis, training: TrainingRecords?, to folder: String
  ) throws(FileError) -> [String] {
    let path = folder + "/spectra.json"
    try PendingFile.write(json(of: analysis, training: training).text() + "\n", to: path)
    return [path]
  }

  static func json(of analysis: Analysis, training: TrainingRecords?) -> JSONValue {
    // Names that consumers may rely on, whether there is anything for them or not.
    var object: OrderedDictionary<String, JSONValue> = [:]
    for table in AnalysisTable.all(of: analysis, training: training) { object[table.name] = table.json }
    for name in ["profiles", "training"] where object[name] == nil { object[name] = [] }
    object["verdict"] = .string(analysis.verdict(records: training).outcome.rawValue)
    return .object(object)
  }
}

extension AnalysisTable {
  /// The rows as objects.
  package var json: JSONValue {
    .array(
      (0..<count).map { row in
        .object(OrderedDictionary(columns.map { ($0.name, $0[row]) }, uniquingKeysWith: { first, _ in first }))
      })
  }
}
