import Diagnosis
import OrderedCollections
import Reporting
import RunStore
import Spectra
import Testing
import Weights

/// Parquet, by a reader that pyarrow's files vouch for.
@Suite struct ParquetExportTests {
  /// What `generate_export.py` gave pyarrow.
  @Test(arguments: ["plain", "dictionary"])
  func theReaderReadsWhatArrowWrote(name: String) throws {
    let file = try ParquetReader(try ExportSamples.reference(name + ".parquet"))
    let steps: [JSONValue] =
      Array(repeating: .null, count: 9) + Array(repeating: 5, count: 20)
      + (0..<12).map { $0 % 2 == 0 ? 5 : .null } + [0, 1, 2, .integer(.max), .integer(.min)]
    let texts = ["a", "größe", "", "a,\n\"b\""]
    #expect(file.columns.map(\.name) == ["step", "value", "text"] && file.rowCount == steps.count)
    #expect(file.columns[0].values == steps)
    #expect(
      file.columns[1].values
        == steps.indices.map { $0 % 3 == 1 ? .null : .number(($0 % 2 == 0 ? 1 : -1) * 0.1 * Double($0)) })
    #expect(file.columns[2].values == steps.indices.map { $0 % 7 == 2 ? .null : .string(texts[$0 / 5 % 4]) })
    #expect(file.columns.map(\.hasDictionary) == [name == "dictionary", false, name == "dictionary"])
    #expect(file.columns[0].groupLengths == [20, 20, 6])
  }

  /// The same tables, columns and values as in `spectra.json`, bit for bit.
  private func expectSameAsJSON(_ analysis: Analysis, _ training: TrainingRecords?) throws {
    let files = try ExportSamples.files(of: analysis, training: training, as: .parquet)
    let json = try #require(try ExportSamples.files(of: analysis, training: training, as: .json)["spectra.json"])
    let tables = try JSONValue(parsing: json)
    for (name, bytes) in files {
      let table = try #require(tables[String(name.dropLast(".parquet".count))]?.array, "\(name)")
      let file = try ParquetReader(bytes)
      #expect(file.rowCount == table.count)
      if let first = table.first { #expect(first.object?.keys.elements == file.columns.map(\.name)) }
      for column in file.columns {
        #expect(column.values.count == table.count)
        #expect(column.nullCounts.reduce(0, +) == column.values.count { $0.isNull }, "\(name) \(column.name)")
        let wanted = table.map { $0[column.name] ?? .null }
        #expect(column.values.map(Self.bits) == wanted.map(Self.bits), "\(name) \(column.name)")
      }
    }
  }

  /// So that −0 is not 0, and texts are equal in their bytes alone.
  private static func bits(_ value: JSONValue) -> [UInt8] {
    switch value {
    case .number(let number): withUnsafeBytes(of: number.bitPattern, Array.init)
    default: [UInt8](value.text().utf8)
    }
  }

  @Test func valuesAreThoseOfJSON() throws {
    try expectSameAsJSON(ExportSamples.odd, try ExportSamples.oddTraining())
    try expectSameAsJSON(Analysis(), nil)
  }

  @Test func longTablesComeInGroups() throws {
    try expectSameAsJSON(ExportSamples.long, nil)
    let files = try ExportSamples.files(of: ExportSamples.long, as: .parquet)
    let file = try ParquetReader(try #require(files["singular_values.parquet"]))
    #expect(file.columns[0].groupLengths == [131_072, 8928])
  }

  /// Steps and texts recur, so they are written once and referred to.
  @Test func whatRecursIsInADictionary() throws {
    let rows = (0..<300).map { row($0 / 100, "module-\($0 % 3)", metrics: [.rows: 2, .columns: 2, .rank: 4]) }
    let files = try ExportSamples.files(of: Analysis(rows: rows), as: .parquet)
    let file = try ParquetReader(try #require(files["modules.parquet"]))
    let columns = Dictionary(uniqueKeysWithValues: file.columns.map { ($0.name, $0) })
    for name in ["step", "module", "method", "delta", "rank"] {
      #expect(columns[name]?.hasDictionary == true, "\(name)")
    }
    #expect(columns["module"]?.values == rows.map { .string($0.module) })
    try expectSameAsJSON(Analysis(rows: rows), nil)
  }
}
