import Testing
import Weights

/// As much of a reader of Parquet as the tests need: pages of version 1 without compression, optional columns of int64, double and
/// text, PLAIN and dictionaries.
struct ParquetReader {
  struct Column {
    var name: String
    /// Integers, numbers, texts or null.
    var values: [JSONValue]
    /// The number of nulls that the footer claims, for each row group.
    var nullCounts: [Int]
    /// The rows of each row group.
    var groupLengths: [Int]
    var hasDictionary: Bool
  }

  let columns: [Column]
  let rowCount: Int

  init(_ file: [UInt8]) throws {
    try #require(file.prefix(4) == [UInt8]("PAR1".utf8)[...] && file.suffix(4) == [UInt8]("PAR1".utf8)[...])
    let length = Self.integer(file[(file.count - 8)..<(file.count - 4)])
    var bytes = ThriftBytes(file[(file.count - 8 - length)..<(file.count - 8)])
    let footer = try bytes.structure()
    rowCount = try #require(footer[3]?.integer)
    let schema = try #require(footer[2]?.list).dropFirst()
    let groups = try #require(footer[4]?.list)
    columns = try schema.enumerated().map { index, element in
      let fields = element.fields
      try #require(fields[3]?.integer == 1, "optional")
      var column = Column(
        name: try #require(fields[4]?.text), values: [], nullCounts: [], groupLengths: [], hasDictionary: false)
      for group in groups {
        let chunk = try #require(group.fields[1]?.list?[index].fields[3]?.fields)
        try Self.read(chunk, of: file, into: &column)
        column.nullCounts.append(try #require(chunk[12]?.fields[3]?.integer))
        column.groupLengths.append(try #require(group.fields[3]?.integer))
      }
      return column
    }
  }

  private static func integer(_ bytes: ArraySlice<UInt8>) -> Int {
    Int(truncatingIfNeeded: bytes.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
  }

  /// Appends the values of one column chunk.
  private static func read(_ chunk: [Int: ThriftItem], of file: [UInt8], into column: inout Column) throws {
    let type = try #require(chunk[1]?.integer)
    let count = try #require(chunk[5]?.integer)
    var dictionary: [JSONValue]?
    if let start = chunk[11]?.integer {
      let (header, content) = try page(at: start, of: file)
      let size = try #require(header[7]?.fields[1]?.integer)
      dictionary = try plain(content, type, count: size)
      column.hasDictionary = true
    }
    var start = try #require(chunk[9]?.integer)
    let end = column.values.count + count
    while column.values.count < end {
      let (header, content) = try page(at: start, of: file)
      let details = try #require(header[5]?.fields)
      let rows = try #require(details[1]?.integer)
      let levelsEnd = content.startIndex + 4 + integer(content.prefix(4))
      let levels = runs(content[(content.startIndex + 4)..<levelsEnd], bitWidth: 1, count: rows)
      let rest = content[levelsEnd...]
      let present = levels.reduce(0, +)
      var values: [JSONValue]
      if try #require(details[2]?.integer) == 0 {
        values = try plain(rest, type, count: present)
      } else {
        let places = runs(rest.dropFirst(), bitWidth: Int(rest.first ?? 0), count: present)
        values = try places.map { try #require(dictionary)[$0] }
      }
      var next = values.makeIterator()
      column.values += levels.map { $0 == 1 ? next.next()! : .null }
      start = content.endIndex
    }
  }

  private static func page(at start: Int, of file: [UInt8]) throws -> ([Int: ThriftItem], ArraySlice<UInt8>) {
    var bytes = ThriftBytes(file[start...])
    let header = try bytes.structure()
    let size = try #require(header[3]?.integer)
    return (header, bytes.rest.prefix(size))
  }

  private static func plain(_ bytes: ArraySlice<UInt8>, _ type: Int, count: Int) throws -> [JSONValue] {
    var rest = bytes
    func take(_ count: Int) throws -> ArraySlice<UInt8> {
      try #require(rest.count >= count)
      defer { rest = rest.dropFirst(count) }
      return rest.prefix(count)
    }
    return try (0..<count).map { _ in
      switch type {
      case 2: .integer(integer(try take(8)))
      case 5: .number(Double(bitPattern: UInt64(bitPattern: Int64(integer(try take(8))))))
      default: .string(try #require(String(validating: take(integer(try take(4))), as: UTF8.self)))
      }
    }
  }

  /// Decodes the hybrid of run lengths and packed bits.
  private static func runs(_ bytes: ArraySlice<UInt8>, bitWidth: Int, count: Int) -> [Int] {
    var reader = ThriftBytes(bytes)
    var numbers: [Int] = []
    while numbers.count < count {
      let header = Int(reader.varint())
      if header & 1 == 0 {
        numbers += repeatElement(integer(reader.take((bitWidth + 7) / 8)), count: header >> 1)
      } else {
        let packed = Array(reader.take((header >> 1) * bitWidth))
        numbers += (0..<(header >> 1) * 8).map { index in
          (0..<bitWidth).reduce(0) { number, bit in
            let place = index * bitWidth + bit
            return number | Int(packed[place / 8] >> (place % 8) & 1) << bit
          }
        }
      }
    }
    return Array(numbers.prefix(count))
  }
}

/// A value of Thrift's compact protocol.
indirect enum ThriftItem {
  case number(Int)
  case bytes(ArraySlice<UInt8>)
  case items([ThriftItem])
  case members([Int: ThriftItem])

  var integer: Int? { if case .number(let value) = self { value } else { nil } }
  var text: String? { if case .bytes(let value) = self { String(decoding: value, as: UTF8.self) } else { nil } }
  var list: [ThriftItem]? { if case .items(let value) = self { value } else { nil } }
  var fields: [Int: ThriftItem] { if case .members(let value) = self { value } else { [:] } }
}

/// Bytes from which values of Thrift's compact protocol are taken one after the other.
struct ThriftBytes {
  private(set) var rest: ArraySlice<UInt8>

  init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

  mutating func take(_ count: Int) -> ArraySlice<UInt8> {
    defer { rest = rest.dropFirst(count) }
    return rest.prefix(count)
  }

  mutating func varint() -> UInt64 {
    var (value, shift) = (UInt64(0), UInt64(0))
    while let byte = rest.popFirst() {
      value |= UInt64(byte & 0x7F) << shift
      shift += 7
      if byte < 0x80 { break }
    }
    return value
  }

  private mutating func zigzag() -> Int {
    let value = varint()
    return Int(Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1))
  }

  mutating func structure() throws -> [Int: ThriftItem] {
    var members: [Int: ThriftItem] = [:]
    var last = 0
    while let header = rest.popFirst(), header != 0 {
      last = header >> 4 == 0 ? zigzag() : last + Int(header >> 4)
      members[last] = try item(header & 15)
    }
    return members
  }

  private mutating func item(_ type: UInt8) throws -> ThriftItem {
    switch type {
    case 1, 2: return .number(type == 1 ? 1 : 0)
    case 3: return .number(Int(take(1).first!))
    case 4, 5, 6: return .number(zigzag())
    case 7: return .bytes(take(8))
    case 8: return .bytes(take(Int(varint())))
    case 9, 10:
      let header = rest.popFirst()
      let first = try #require(header)
      let count = first >> 4 == 15 ? Int(varint()) : Int(first >> 4)
      return .items(try (0..<count).map { _ in try item(first & 15) })
    default:
      try #require(type == 12)
      return .members(try structure())
    }
  }
}
