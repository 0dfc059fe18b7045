import Weights

/// One of TensorBoard's event files: records of a length, its checksum, a message of protocol buffers, and that one's checksum.
struct EventFile {
  private static let lengthSize = EventRecord.lengthSize
  private static let checksumSize = EventRecord.checksumSize
  /// No message of protocol buffers is longer.
  private static let longestMessage = UInt64(Int32.max)

  private var reader: SequentialReader
  private var index = 0

  /// Opens the file; throws `.cannotOpen`.
  init(path: String) throws(FileError) {
    reader = SequentialReader(try PositionedFile(path: path))
  }

  /// Whether bytes are the beginning of such a file: a length whose checksum is right.
  static func isOne(_ prefix: [UInt8]) -> Bool {
    let size = lengthSize + checksumSize
    return prefix.count >= size && EventRecord.checksum(of: prefix[..<lengthSize]) == stored(prefix[lengthSize..<size])
  }

  /// The next event. Nil at the end of the file, which may lie within a record where a program is writing it.
  ///
  /// Throws `.badContent` with the record that is damaged.
  mutating func next() throws(FileError) -> Event? {
    let object = "record \(index) at byte \(reader.offset)"
    index += 1
    func damaged(_ problem: String) -> FileError {
      FileError(
        .badContent, path: reader.path, object: object, problem,
        remedy: "Copy the file again; if the damage is in the original, take it out of the folder")
    }
    guard let header = try reader.read(Self.lengthSize + Self.checksumSize) else { return nil }
    let length = header.prefix(Self.lengthSize)
    guard EventRecord.checksum(of: length) == Self.stored(header.suffix(Self.checksumSize)) else {
      throw damaged("expected a length with its checksum, found another checksum")
    }
    guard length.littleEndian <= Self.longestMessage else {
      throw damaged("expected at most \(Self.longestMessage) bytes, found a claim of \(length.littleEndian)")
    }
    let count = Int(length.littleEndian)
    guard let record = try reader.read(count + Self.checksumSize) else { return nil }
    guard EventRecord.checksum(of: record.prefix(count)) == Self.stored(record.suffix(Self.checksumSize)) else {
      throw damaged("expected \(count) bytes with their checksum, found another checksum")
    }
    do throws(RecordError) {
      return try Event(record.prefix(count))
    } catch {
      throw damaged(error.problem)
    }
  }

  private static func stored(_ bytes: ArraySlice<UInt8>) -> UInt32 { UInt32(bytes.littleEndian) }
}

extension Collection<UInt8> {
  /// The number that bytes in little-endian order are; at most eight.
  var littleEndian: UInt64 {
    reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }
}
