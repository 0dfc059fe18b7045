import Weights

/// CSV by RFC 4180: fields between commas, in quotes where they hold commas, quotes (doubled) or line breaks; lines end with a line feed,
/// behind a carriage return or not.
///
/// Everything that leaves doubt about where a field ends is an error.
package struct CommaSeparatedText {
  /// A row and the line that it begins on, counted from 1.
  package struct Row: Equatable {
    package var line: Int
    package var fields: [String]
  }

  /// Where and why a text is no CSV.
  package struct Failure: Error {
    package var line: Int
    package var problem: String
  }

  private let bytes: ArraySlice<UInt8>
  private var offset: Int
  private var line = 1

  /// The rows of a text in UTF-8, blank lines left out.
  package static func rows(of bytes: ArraySlice<UInt8>) throws(Failure) -> [Row] {
    do {
      _ = try UTF8Span(validating: bytes.span)
    } catch {
      let line = 1 + bytes.prefix(error.byteOffsets.lowerBound).count { $0 == LogText.lineFeed }
      throw Failure(line: line, problem: "expected UTF-8, found bytes that are not")
    }
    var text = CommaSeparatedText(bytes: bytes, offset: bytes.startIndex)
    var rows: [Row] = []
    while text.current != nil {
      let row = Row(line: text.line, fields: try text.row())
      if row.fields != [""] { rows.append(row) }
    }
    return rows
  }

  private init(bytes: ArraySlice<UInt8>, offset: Int) {
    (self.bytes, self.offset) = (bytes, offset)
  }

  private var current: UInt8? { offset < bytes.endIndex ? bytes[offset] : nil }

  /// True at the end of a line or of the text.
  private var isAtEnd: Bool {
    switch current {
    case nil, LogText.lineFeed: true
    case UInt8(ascii: "\r"): offset + 1 == bytes.endIndex || bytes[offset + 1] == LogText.lineFeed
    default: false
    }
  }

  private mutating func row() throws(Failure) -> [String] {
    var fields = [try field()]
    while current == UInt8(ascii: ",") {
      offset += 1
      fields.append(try field())
    }
    if current == UInt8(ascii: "\r") { offset += 1 }
    if current == LogText.lineFeed { offset += 1 }
    line += 1
    return fields
  }

  private mutating func field() throws(Failure) -> String {
    if current == UInt8(ascii: "\"") { return try quotedField() }
    let start = offset
    while let byte = current, byte != UInt8(ascii: ","), !isAtEnd {
      guard byte != UInt8(ascii: "\"") else {
        throw Failure(line: line, problem: "expected a field in quotes from its beginning, found a quote within it")
      }
      offset += 1
    }
    return String(decoding: bytes[start..<offset], as: UTF8.self)
  }

  private mutating func quotedField() throws(Failure) -> String {
    let firstLine = line
    var content: [UInt8] = []
    offset += 1
    while let byte = current {
      offset += 1
      if byte == LogText.lineFeed { line += 1 }
      if byte == UInt8(ascii: "\"") {
        guard current == byte else {
          guard isAtEnd || current == UInt8(ascii: ",") else {
            throw Failure(line: line, problem: "expected a comma behind the closing quote, found other text")
          }
          return String(decoding: content, as: UTF8.self)
        }
        offset += 1
      }
      content.append(byte)
    }
    throw Failure(line: firstLine, problem: "expected a closing quote, found the end of the text")
  }
}
