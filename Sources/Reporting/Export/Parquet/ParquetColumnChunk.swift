import Weights

/// The values of one column in one row group: a page of its dictionary where it has one, a page of values, and what the footer says
/// of them.
struct ParquetColumnChunk {
  private enum Encoding: Int {
    case plain = 0
    case runs = 3
    case dictionary = 8
  }

  private enum PageType: Int {
    case data = 0
    case dictionary = 2
  }

  /// The pages with their headers.
  let bytes: [UInt8]
  private let column: TableColumn
  private let values: ParquetValues
  /// 0 where there is no dictionary.
  private let dictionaryLength: Int

  init(_ column: TableColumn, rows: Range<Int>) {
    self.column = column
    values = ParquetValues(column, rows: rows)
    let dictionary = values.dictionary.map { Self.dictionaryPage($0.plain, count: $0.count) } ?? []
    dictionaryLength = dictionary.count
    bytes = dictionary + Self.dataPage(values)
  }

  private static func dictionaryPage(_ content: [UInt8], count: Int) -> [UInt8] {
    let details: ThriftValue = .structure([(1, .int32(count)), (2, .int32(Encoding.plain.rawValue))])
    return page(.dictionary, content, details: (7, details))
  }

  private static func dataPage(_ values: ParquetValues) -> [UInt8] {
    let levels = ParquetRuns.encoded(values.definitionLevels, bitWidth: 1)
    var content: [UInt8] = []
    content.append(littleEndian: UInt32(levels.count))
    content += levels
    if let dictionary = values.dictionary {
      let bitWidth = ParquetRuns.bitWidth(below: dictionary.count)
      content.append(UInt8(bitWidth))
      content += ParquetRuns.encoded(dictionary.places, bitWidth: bitWidth)
    } else {
      content += values.plain
    }
    let encoding = values.dictionary == nil ? Encoding.plain : .dictionary
    let runs: ThriftValue = .int32(Encoding.runs.rawValue)
    let details: ThriftValue = .structure([
      (1, .int32(values.definitionLevels.count)), (2, .int32(encoding.rawValue)), (3, runs), (4, runs),
    ])
    return page(.data, content, details: (5, details))
  }

  private static func page(_ type: PageType, _ content: [UInt8], details: (Int, ThriftValue)) -> [UInt8] {
    let size: ThriftValue = .int32(content.count)
    let header: ThriftValue = .structure([(1, .int32(type.rawValue)), (2, size), (3, size), details])
    return header.bytes + content
  }

  /// The footer's `ColumnChunk`.
  func metadata(at offset: Int) -> ThriftValue {
    var encodings: [Encoding] = values.dictionary == nil ? [.plain] : [.plain, .dictionary]
    encodings.append(.runs)
    var fields: [(Int, ThriftValue)] = [
      (1, .int32(column.parquetKind.rawValue)), (2, .list(encodings.map { .int32($0.rawValue) })),
      (3, .list([.text(column.name)])), (4, .int32(0)), (5, .int64(values.definitionLevels.count)),
      (6, .int64(bytes.count)), (7, .int64(bytes.count)), (9, .int64(offset + dictionaryLength)),
    ]
    if dictionaryLength > 0 { fields.append((11, .int64(offset))) }
    fields.append((12, statistics))
    return .structure([(2, .int64(offset)), (3, .structure(fields))])
  }

  private var statistics: ThriftValue {
    let missing: (Int, ThriftValue) = (3, .int64(values.definitionLevels.count - values.presentCount))
    guard let bounds = values.bounds else { return .structure([missing]) }
    return .structure([missing, (5, .binary(bounds.greatest)), (6, .binary(bounds.least))])
  }
}
