import OrderedCollections

/// Where the entries of a zip archive lie in its file, for archives that store their entries uncompressed, as
/// `torch.save` does. Nobody vouches for the archive: every offset is checked before it is used.
struct ZipDirectory {
  /// The bytes of each entry, by its name, in the order of the directory.
  private(set) var entries = OrderedDictionary<String, Range<Int>>()

  private let file: PositionedFile

  /// More than the directory of any model needs.
  private static let maximumLength = 100_000_000

  /// Reads the directory at the end of a file; throws `.badContent` where it is missing, contradicts itself, or names
  /// entries that overlap or cannot be read.
  init(of file: PositionedFile) throws(FileError) {
    self.file = file
    let end = try ZipEnd(of: file)
    guard end.size <= Self.maximumLength, end.count <= end.size / Record.centralLength else {
      throw Self.damaged(file, "expected room for \(end.count) entries, found a directory of \(end.size) bytes")
    }
    let records = try records(end)
    var previous: (name: String, end: Int)?
    var ranges: [String: Range<Int>] = [:]
    for record in records.sorted(by: { $0.offset < $1.offset }) {
      if let previous, record.offset < previous.end {
        throw Self.damaged(
          file,
          "expected entries that do not overlap, found \(FileError.quoted(record.name)) begin inside "
            + FileError.quoted(previous.name))
      }
      let range = try dataRange(of: record, directoryOffset: end.offset)
      ranges[record.name] = range
      previous = (record.name, range.upperBound)
    }
    for record in records { entries[record.name] = ranges[record.name] }
  }

  /// The error for an archive whose parts do not fit together.
  static func damaged(_ file: PositionedFile, _ problem: String) -> FileError {
    FileError(
      .badContent, path: file.path, object: "zip directory", problem,
      remedy: "Wait if the file is still being written, else copy or download it again")
  }
}

// MARK: - Records

extension ZipDirectory {
  /// What the directory says about an entry.
  private struct Record {
    var name: String
    var nameBytes: [UInt8]
    var size: Int
    var offset: Int

    static let centralLength = 46
    static let localLength = 30
    static let centralSignature = 0x0201_4B50
    static let localSignature = 0x0403_4B50
    /// What a field of 32 bits holds where the zip64 extension has the number.
    static let moved = 0xFFFF_FFFF
  }

  private func records(_ end: ZipEnd) throws(FileError) -> [Record] {
    let bytes = LittleEndianBytes(try file.read(end.size, at: end.offset))
    var records: [Record] = []
    var names: Set<String> = []
    var position = 0
    for _ in 0..<end.count {
      guard let record = try record(in: bytes, at: &position) else {
        throw Self.damaged(file, "expected \(end.count) entries, found \(records.count)")
      }
      guard names.insert(record.name).inserted else {
        throw Self.damaged(file, "expected every entry once, found \(FileError.quoted(record.name)) twice")
      }
      records.append(record)
    }
    guard position == bytes.count else {
      throw Self.damaged(file, "expected \(end.count) entries, found \(bytes.count - position) more bytes")
    }
    return records
  }

  /// The record at `position`, which moves on; nil where there is none.
  private func record(in bytes: LittleEndianBytes, at position: inout Int) throws(FileError) -> Record? {
    let start = position
    guard bytes.integer(at: start, size: 4) == Record.centralSignature,
      let nameLength = bytes.integer(at: start + 28, size: 2),
      let extraLength = bytes.integer(at: start + 30, size: 2),
      let commentLength = bytes.integer(at: start + 32, size: 2),
      let nameBytes = bytes.slice(start + Record.centralLength, nameLength),
      let extra = bytes.slice(start + Record.centralLength + nameLength, extraLength),
      let flags = bytes.integer(at: start + 8, size: 2), let method = bytes.integer(at: start + 10, size: 2)
    else { return nil }
    position += Record.centralLength + nameLength + extraLength + commentLength
    let name = String(decoding: nameBytes, as: UTF8.self)
    guard method == 0, flags & 1 == 0 else {
      let kind = flags & 1 != 0 ? "an encrypted" : method == 8 ? "a deflated" : "a compressed"
      throw FileError(
        .badContent, path: file.path, object: "entry " + FileError.quoted(name),
        "expected a stored entry, as torch.save writes, found \(kind) one",
        remedy: "Load it with torch and save it again with torch.save")
    }
    let fields = [24, 20, 42].map { bytes.integer(at: start + $0, size: 4) ?? 0 }
    guard let numbers = Self.numbers(fields, extra: LittleEndianBytes(extra)), numbers[0] == numbers[1] else {
      throw Self.damaged(file, "expected one size of entry \(FileError.quoted(name)), found two")
    }
    return Record(name: name, nameBytes: nameBytes, size: numbers[0], offset: numbers[2])
  }

  /// The fields, those that are too large for 32 bits taken from the zip64 extension, which has them in this order.
  private static func numbers(_ fields: [Int], extra: LittleEndianBytes) -> [Int]? {
    guard fields.contains(Record.moved) else { return fields }
    var position = 0
    while let id = extra.integer(at: position, size: 2), let length = extra.integer(at: position + 2, size: 2) {
      position += 4
      guard id == 1 else {
        position += length
        continue
      }
      var numbers = fields
      for (index, field) in fields.enumerated() where field == Record.moved {
        guard let number = extra.integer(at: position, size: 8) else { return nil }
        numbers[index] = number
        position += 8
      }
      return numbers
    }
    return nil
  }

  /// Where the bytes of an entry are, behind its own header, which has to say the same as the directory.
  private func dataRange(of record: Record, directoryOffset: Int) throws(FileError) -> Range<Int> {
    let name = FileError.quoted(record.name)
    let headerLength = Record.localLength + record.nameBytes.count
    guard record.offset <= directoryOffset - headerLength else {
      throw Self.damaged(file, "expected entry \(name) in front of the directory, found offset \(record.offset)")
    }
    let header = LittleEndianBytes(try file.read(headerLength, at: record.offset))
    guard header.integer(at: 0, size: 4) == Record.localSignature, header.integer(at: 8, size: 2) == 0,
      header.integer(at: 26, size: 2) == record.nameBytes.count,
      header.slice(Record.localLength, record.nameBytes.count) == record.nameBytes,
      let extraLength = header.integer(at: 28, size: 2)
    else { throw Self.damaged(file, "expected the header of entry \(name) at offset \(record.offset), found another") }
    let start = record.offset + headerLength + extraLength
    guard start <= directoryOffset, record.size <= directoryOffset - start else {
      throw Self.damaged(file, "expected \(record.size) bytes of entry \(name) in front of the directory, found fewer")
    }
    return start..<start + record.size
  }
}

/// The record at the end of an archive that says where its directory is, or the zip64 one that stands in for it.
private struct ZipEnd {
  let count: Int
  let size: Int
  let offset: Int

  private static let length = 22
  private static let maximumCommentLength = 0xFFFF
  private static let locatorLength = 20
  private static let wideLength = 56

  init(of file: PositionedFile) throws(FileError) {
    let tailStart = max(0, file.size - Self.length - Self.maximumCommentLength)
    let tail = LittleEndianBytes(try file.read(file.size - tailStart, at: tailStart))
    guard let position = Self.position(in: tail) else {
      throw ZipDirectory.damaged(file, "expected a directory at the end of the zip archive, found none")
    }
    var (start, fields) = (
      tailStart + position, [Self.field(tail, position, 10, 2), Self.field(tail, position, 12, 4)]
    )
    fields.append(Self.field(tail, position, 16, 4))
    var disks = Self.field(tail, position, 4, 2) + Self.field(tail, position, 6, 2)
    if start >= Self.locatorLength {
      let locator = LittleEndianBytes(try file.read(Self.locatorLength, at: start - Self.locatorLength))
      if locator.integer(at: 0, size: 4) == 0x0706_4B50 {
        (start, fields) = try Self.wide(locator, before: start - Self.locatorLength, standingInFor: fields, in: file)
        disks = 0
      }
    }
    guard disks == 0 else { throw ZipDirectory.damaged(file, "expected one archive, found a part of several") }
    (count, size, offset) = (fields[0], fields[1], fields[2])
    guard offset <= start, size <= start - offset else {
      throw ZipDirectory.damaged(
        file, "expected a directory inside the file, found \(size) bytes at offset \(offset) of \(file.size)")
    }
  }

  /// The last place where the record can be: its comment ends with the file.
  private static func position(in tail: LittleEndianBytes) -> Int? {
    guard tail.count >= length else { return nil }
    return stride(from: tail.count - length, through: 0, by: -1).first {
      tail.integer(at: $0, size: 4) == 0x0605_4B50 && tail.integer(at: $0 + 20, size: 2) == tail.count - length - $0
    }
  }

  private static func field(_ bytes: LittleEndianBytes, _ start: Int, _ offset: Int, _ size: Int) -> Int {
    bytes.integer(at: start + offset, size: size) ?? .max
  }

  private static func wide(
    _ locator: LittleEndianBytes, before limit: Int, standingInFor narrow: [Int], in file: PositionedFile
  ) throws(FileError) -> (start: Int, fields: [Int]) {
    let start = field(locator, 0, 8, 8)
    guard start <= limit - wideLength else {
      throw ZipDirectory.damaged(file, "expected the zip64 record inside the file, found offset \(start)")
    }
    let bytes = LittleEndianBytes(try file.read(wideLength, at: start))
    let fields = [field(bytes, 0, 32, 8), field(bytes, 0, 40, 8), field(bytes, 0, 48, 8)]
    let moved = [0xFFFF, 0xFFFF_FFFF, 0xFFFF_FFFF]
    let agrees = fields.indices.allSatisfy { narrow[$0] == fields[$0] || narrow[$0] == moved[$0] }
    guard bytes.integer(at: 0, size: 4) == 0x0606_4B50, bytes.integer(at: 16, size: 8) == 0, agrees else {
      throw ZipDirectory.damaged(file, "expected two records of the same directory, found them to disagree")
    }
    return (start, fields)
  }
}

/// Numbers in bytes that may end anywhere.
private struct LittleEndianBytes {
  private let bytes: [UInt8]

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  var count: Int { bytes.count }

  /// The unsigned number in `size` bytes; nil beyond the end, and where it does not fit `Int`.
  func integer(at offset: Int, size: Int) -> Int? {
    guard offset >= 0, offset <= count - size else { return nil }
    return Int(exactly: bytes[offset..<offset + size].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
  }

  /// `length` bytes; nil beyond the end.
  func slice(_ start: Int, _ length: Int) -> [UInt8]? {
    guard start <= count - length else { return nil }
    return [UInt8](bytes[start..<start + length])
  }
}
