/// A zip archive to be written: its bytes, piece by piece. Entries are stored as they are, as in NumPy's `.npz`, and have no times, so
/// that the same entries make the same bytes.
///
/// Entries and archives beyond 4 GiB, or of more than 65,534 entries, get the zip64 extension; others do without.
package struct ZipArchive: Sequence, IteratorProtocol {
  /// An entry, whose content is made when its turn has come.
  package struct Entry {
    package var name: String
    package var content: () -> [UInt8]

    package init(name: String, content: @escaping () -> [UInt8]) {
      self.name = name
      self.content = content
    }
  }

  /// From here on a size or an offset goes to the zip64 extension.
  private let widthLimit: UInt64

  private var waiting: ArraySlice<Entry>
  /// The content whose header was the last piece.
  private var content: [UInt8]?
  private var directory: [UInt8] = []
  private var count: UInt64 = 0
  private var offset: UInt64 = 0
  private var isFinished = false

  /// - Parameter widthLimit: for tests, which need not write 4 GiB to see the extension.
  package init(_ entries: [Entry], widthLimit: UInt64 = 0xFFFF_FFFF) {
    waiting = entries[...]
    self.widthLimit = widthLimit
  }

  /// The next piece of the file; nil at its end.
  package mutating func next() -> [UInt8]? {
    if let content {
      self.content = nil
      return content
    }
    if let entry = waiting.popFirst() { return begin(entry) }
    defer { isFinished = true }
    return isFinished ? nil : directory + end()
  }

  /// The header of an entry, whose content is the next piece.
  private mutating func begin(_ entry: Entry) -> [UInt8] {
    let content = entry.content()
    let (name, size) = ([UInt8](entry.name.utf8), UInt64(content.count))
    let checksum = CRC32.ieee.checksum(content[...])
    let header = header(name, size: size, checksum: checksum)
    appendRecord(name, size: size, checksum: checksum)
    self.content = content
    offset += UInt64(header.count) + size
    count += 1
    return header
  }

  // MARK: Records

  private static let localSignature: UInt32 = 0x0403_4B50
  private static let centralSignature: UInt32 = 0x0201_4B50
  private static let endSignature: UInt32 = 0x0605_4B50
  private static let wideEndSignature: UInt32 = 0x0606_4B50
  private static let locatorSignature: UInt32 = 0x0706_4B50
  /// The versions of the format that stored entries, and those with the extension, need.
  private static let (plainVersion, wideVersion): (UInt16, UInt16) = (20, 45)
  /// Names are UTF-8.
  private static let flags: UInt16 = 1 << 11
  /// The first day that the format has, at midnight.
  private static let date: UInt32 = 0x0021_0000
  private static let moved: UInt32 = 0xFFFF_FFFF

  private func isWide(_ number: UInt64) -> Bool { number >= widthLimit }

  private func narrow(_ number: UInt64) -> UInt32 { isWide(number) ? Self.moved : UInt32(number) }

  /// The zip64 extension with the numbers that do not fit; empty where there are none.
  private static func extension64(_ numbers: [UInt64]) -> [UInt8] {
    guard !numbers.isEmpty else { return [] }
    var bytes: [UInt8] = []
    bytes.append(littleEndian: UInt16(1))
    bytes.append(littleEndian: UInt16(8 * numbers.count))
    for number in numbers { bytes.append(littleEndian: number) }
    return bytes
  }

  /// What the header of an entry and its record in the directory have in common, from the version to the length of the extension.
  private func common(_ name: [UInt8], size: UInt64, checksum: UInt32, extensionLength: Int) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.append(littleEndian: extensionLength > 0 ? Self.wideVersion : Self.plainVersion)
    bytes.append(littleEndian: Self.flags)
    bytes.append(littleEndian: UInt16(0))  // stored
    bytes.append(littleEndian: Self.date)
    bytes.append(littleEndian: checksum)
    bytes.append(littleEndian: narrow(size))
    bytes.append(littleEndian: narrow(size))
    bytes.append(littleEndian: UInt16(name.count))
    bytes.append(littleEndian: UInt16(extensionLength))
    return bytes
  }

  private func header(_ name: [UInt8], size: UInt64, checksum: UInt32) -> [UInt8] {
    let wide = Self.extension64(isWide(size) ? [size, size] : [])
    var bytes: [UInt8] = []
    bytes.append(littleEndian: Self.localSignature)
    return bytes + common(name, size: size, checksum: checksum, extensionLength: wide.count) + name + wide
  }

  private mutating func appendRecord(_ name: [UInt8], size: UInt64, checksum: UInt32) {
    let wide = Self.extension64((isWide(size) ? [size, size] : []) + (isWide(offset) ? [offset] : []))
    directory.append(littleEndian: Self.centralSignature)
    directory.append(littleEndian: Self.wideVersion)  // made by
    directory += common(name, size: size, checksum: checksum, extensionLength: wide.count)
    directory.append(littleEndian: UInt16(0))  // no comment
    directory.append(littleEndian: UInt32(0))  // first disk; no text
    directory.append(littleEndian: UInt32(0))  // no permissions
    directory.append(littleEndian: narrow(offset))
    directory += name + wide
  }

  /// The end of the archive, behind the directory.
  private func end() -> [UInt8] {
    let size = UInt64(directory.count)
    var bytes = isWide(offset) || isWide(size) || count >= 0xFFFF ? wideEnd(size) : []
    bytes.append(littleEndian: Self.endSignature)
    bytes.append(littleEndian: UInt32(0))  // one disk
    for _ in 0..<2 { bytes.append(littleEndian: UInt16(Swift.min(count, 0xFFFF))) }
    bytes.append(littleEndian: narrow(size))
    bytes.append(littleEndian: narrow(offset))
    bytes.append(littleEndian: UInt16(0))  // no comment
    return bytes
  }

  /// The zip64 record of the directory and what points to it.
  private func wideEnd(_ size: UInt64) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.append(littleEndian: Self.wideEndSignature)
    bytes.append(littleEndian: UInt64(44))  // the length of the rest of this record
    for _ in 0..<2 { bytes.append(littleEndian: Self.wideVersion) }
    bytes.append(littleEndian: UInt64(0))  // one disk
    for _ in 0..<2 { bytes.append(littleEndian: count) }
    bytes.append(littleEndian: size)
    bytes.append(littleEndian: offset)
    bytes.append(littleEndian: Self.locatorSignature)
    bytes.append(littleEndian: UInt32(0))
    bytes.append(littleEndian: offset + size)
    bytes.append(littleEndian: UInt32(1))
    return bytes
  }
}
