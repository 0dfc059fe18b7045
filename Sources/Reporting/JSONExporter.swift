import OrderedCollections
import RunStore
import Weights

/// One JSON object, `spectra.json`: every table as a list of row objects, null for "missing".
enum JSONExporter: Exporter {
  static func export(_ analysis: Analysis, to folder: String) throws(FileError) -> [String] {
    let path = folder + "/spectra.json"
    try PendingFile.write(json(of: analysis).text() + "\n", to: path)
    return [path]
  }

  static func json(of analysis: Analysis) -> JSONValue {
    var object: OrderedDictionary<String, JSONValue> = [:]
    for table in AnalysisTable.all(of: analysis) { object[table.name] = table.json }
    // Names that consumers may rely on; nothing is computed for them at this depth.
    for name in ["profiles", "training"] { object[name] = [] }
    object["verdict"] = .null
    return .object(object)
  }
}

extension AnalysisTable {
  /// The rows as objects.
  package var json: JSONValue {
    .array(rows.map { .object(OrderedDictionary(uniqueKeysWithValues: zip(columns, $0))) })
  }
}
