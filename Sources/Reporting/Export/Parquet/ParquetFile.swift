import Weights

/// A table as an Apache Parquet file, piece by piece: row groups of bounded size, pages of version 1 without compression, every column
/// optional, and statistics. Any reader of format version 2 opens it.
struct ParquetFile: Sequence, IteratorProtocol {
  /// So that a page of numbers has a mebibyte, as other writers make them.
  private static let longestGroup = 1 << 17
  /// In bytes of text, far below what a page may have.
  private static let largestGroup = 1 << 26
  private static let magic = [UInt8]("PAR1".utf8)

  private let table: AnalysisTable
  private var waiting: ArraySlice<Range<Int>>
  private var groups: [ThriftValue] = []
  private var offset = 0
  private var isFinished = false

  /// - Parameters:
  ///   - longestGroup: the most rows that a row group has; for tests.
  init(_ table: AnalysisTable, longestGroup: Int = Self.longestGroup) {
    self.table = table
    waiting = Self.groups(of: table, longest: longestGroup)[...]
  }

  /// The next piece of the file; nil at its end.
  mutating func next() -> [UInt8]? {
    if offset == 0 {
      offset = Self.magic.count
      return Self.magic
    }
    if let rows = waiting.popFirst() { return group(rows) }
    defer { isFinished = true }
    return isFinished ? nil : footer
  }

  /// The rows of each row group.
  private static func groups(of table: AnalysisTable, longest: Int) -> [Range<Int>] {
    let texts = table.columns.compactMap { column in
      if case .texts(let values) = column.values { values } else { nil }
    }
    var groups: [Range<Int>] = []
    var (start, size) = (0, 0)
    for row in 0..<table.count {
      size += texts.reduce(0) { $0 + ($1[row]?.utf8.count ?? 0) }
      if row + 1 == table.count || row + 1 - start == longest || size >= largestGroup {
        groups.append(start..<row + 1)
        (start, size) = (row + 1, 0)
      }
    }
    return groups
  }

  private mutating func group(_ rows: Range<Int>) -> [UInt8] {
    let start = offset
    var bytes: [UInt8] = []
    var columns: [ThriftValue] = []
    for column in table.columns {
      let chunk = ParquetColumnChunk(column, rows: rows)
      columns.append(chunk.metadata(at: start + bytes.count))
      bytes += chunk.bytes
    }
    offset += bytes.count
    groups.append(
      .structure([
        (1, .list(columns)), (2, .int64(bytes.count)), (3, .int64(rows.count)), (5, .int64(start)),
        (6, .int64(bytes.count)), (7, .int16(groups.count)),
      ]))
    return bytes
  }

  /// What the file is, its length, and the magic bytes.
  private var footer: [UInt8] {
    let root: ThriftValue = .structure([(4, .text("schema")), (5, .int32(table.columns.count))])
    // The order of a column's values, for its statistics, is that of its type.
    let order: ThriftValue = .structure([(1, .structure([]))])
    let metadata: ThriftValue = .structure([
      (1, .int32(2)), (2, .list([root] + table.columns.map(Self.schema))), (3, .int64(table.count)),
      (4, .list(groups)), (6, .text("spectroscope")), (7, .list(table.columns.map { _ in order })),
    ])
    var bytes = metadata.bytes
    bytes.append(littleEndian: UInt32(bytes.count))
    return bytes + Self.magic
  }

  /// A column's `SchemaElement`.
  private static func schema(of column: TableColumn) -> ThriftValue {
    let kind = column.parquetKind
    var fields: [(Int, ThriftValue)] = [(1, .int32(kind.rawValue)), (3, .int32(1)), (4, .text(column.name))]
    // Bytes are text, by the old name of that and by the new one.
    if kind == .byteArray { fields += [(6, .int32(0)), (10, .structure([(1, .structure([]))]))] }
    return .structure(fields)
  }
}
