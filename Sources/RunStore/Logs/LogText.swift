import Weights

/// The bytes of a log that is text, and the lines in them.
enum LogText {
  /// Logs of steps are far smaller; this keeps memory bounded.
  private static let limit = 1 << 30

  static let lineFeed = UInt8(ascii: "\n")

  /// The file's bytes without a byte order mark; throws `.badContent` for files beyond 1 GiB.
  static func read(_ path: String) throws(FileError) -> ArraySlice<UInt8> {
    let file = try PositionedFile(path: path)
    guard file.size <= limit else {
      throw FileError(
        .badContent, path: path, "expected a log of at most \(limit) bytes, found \(file.size)",
        remedy: "Cut what is not about steps out of it")
    }
    return withoutMark(try file.read(file.size, at: 0)[...])
  }

  static func withoutMark(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? bytes.dropFirst(3) : bytes
  }

  static func isSpace(_ byte: UInt8) -> Bool { [0x20, 0x09, 0x0A, 0x0D].contains(byte) }

  /// The lines that are not blank, with their numbers from 1. The last one is marked where it has no line feed.
  static func lines(of text: ArraySlice<UInt8>) -> [(number: Int, bytes: ArraySlice<UInt8>, isEnded: Bool)] {
    var lines: [(number: Int, bytes: ArraySlice<UInt8>, isEnded: Bool)] = []
    for (index, line) in text.split(separator: lineFeed, omittingEmptySubsequences: false).enumerated()
    where !line.allSatisfy(isSpace) {
      lines.append((index + 1, line, line.endIndex < text.endIndex))
    }
    return lines
  }
}
