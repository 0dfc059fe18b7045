import OrderedCollections

extension JSONValue {
  /// Parses one JSON text (RFC 8259) in UTF-8.
  ///
  /// A key that occurs twice keeps its first place and its last value, as in Python, unless `rejectingDuplicateKeys`.
  /// `allowingNonFinite` accepts the tokens `NaN`, `Infinity` and `-Infinity`, which Python's `json.dumps` writes into
  /// `trainer_state.json`, and numbers beyond `Double`'s range. Nesting deeper than 128 levels is an error.
  package init(
    parsing bytes: [UInt8], rejectingDuplicateKeys: Bool = false, allowingNonFinite: Bool = false
  ) throws(JSONError) {
    var parser = JSONParser(
      bytes: bytes, rejectsDuplicateKeys: rejectingDuplicateKeys, allowsNonFinite: allowingNonFinite)
    self = try parser.parseDocument()
  }

  /// Parses a JSON text held in a string; the options are those of `init(parsing:)` for bytes.
  package init(
    parsing text: String, rejectingDuplicateKeys: Bool = false, allowingNonFinite: Bool = false
  ) throws(JSONError) {
    try self.init(
      parsing: [UInt8](text.utf8), rejectingDuplicateKeys: rejectingDuplicateKeys,
      allowingNonFinite: allowingNonFinite)
  }

  /// Reads and parses a JSON file of at most 256 MiB; the options are those of `init(parsing:)`.
  package init(
    contentsOf path: String, rejectingDuplicateKeys: Bool = false, allowingNonFinite: Bool = false
  ) throws(FileError) {
    let file = try PositionedFile(path: path)
    let limit = 256 << 20
    guard file.size <= limit else {
      throw FileError(.badContent, path: path, "expected JSON of at most \(limit) bytes, found \(file.size)")
    }
    let bytes = try file.read(file.size, at: 0)
    do {
      try self.init(
        parsing: bytes, rejectingDuplicateKeys: rejectingDuplicateKeys, allowingNonFinite: allowingNonFinite)
    } catch {
      if let foreign = ForeignFormat(prefix: bytes.prefix(ForeignFormat.prefixLength)), foreign != .json {
        throw foreign.error(path: path, expected: "JSON")
      }
      throw FileError(.badContent, path: path, error.description)
    }
  }
}

/// A recursive-descent parser over bytes that were checked to be UTF-8.
private struct JSONParser {
  let bytes: [UInt8]
  let rejectsDuplicateKeys: Bool
  let allowsNonFinite: Bool
  private var offset = 0

  private static let maximumDepth = 128

  init(bytes: [UInt8], rejectsDuplicateKeys: Bool, allowsNonFinite: Bool) {
    self.bytes = bytes
    self.rejectsDuplicateKeys = rejectsDuplicateKeys
    self.allowsNonFinite = allowsNonFinite
  }

  mutating func parseDocument() throws(JSONError) -> JSONValue {
    try checkEncoding()
    let value = try parseValue(depth: 0)
    skipWhitespace()
    guard offset == bytes.count else { throw unexpected("the end of the text") }
    return value
  }

  private func checkEncoding() throws(JSONError) {
    do {
      _ = try UTF8Span(validating: bytes.span)
    } catch {
      throw failure("expected UTF-8, found bytes that are not", at: error.byteOffsets.lowerBound)
    }
  }
}

// MARK: - Grammar

extension JSONParser {
  private mutating func parseValue(depth: Int) throws(JSONError) -> JSONValue {
    skipWhitespace()
    guard let byte = current else { throw unexpected("a value") }
    switch byte {
    case UInt8(ascii: "{"):
      return .object(try parseObject(depth: try nested(depth)))
    case UInt8(ascii: "["):
      return .array(try parseArray(depth: try nested(depth)))
    case UInt8(ascii: "\""):
      return .string(try parseString())
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
      return try parseNumber()
    default:
      return try parseWord()
    }
  }

  private func nested(_ depth: Int) throws(JSONError) -> Int {
    guard depth < Self.maximumDepth else {
      throw failure("expected at most \(Self.maximumDepth) levels of nesting, found more", at: offset)
    }
    return depth + 1
  }

  private mutating func parseObject(depth: Int) throws(JSONError) -> OrderedDictionary<String, JSONValue> {
    var members = OrderedDictionary<String, JSONValue>()
    offset += 1
    skipWhitespace()
    if accept("}") { return members }
    repeat {
      skipWhitespace()
      guard current == UInt8(ascii: "\"") else { throw unexpected("a key in quotes") }
      let keyOffset = offset
      let key = try parseString()
      skipWhitespace()
      guard accept(":") else { throw unexpected("':' after the key") }
      let value = try parseValue(depth: depth)
      if members.updateValue(value, forKey: key) != nil, rejectsDuplicateKeys {
        throw failure("expected every key once, found \(FileError.quoted(key)) twice", at: keyOffset)
      }
      skipWhitespace()
    } while accept(",")
    guard accept("}") else { throw unexpected("',' or '}'") }
    return members
  }

  private mutating func parseArray(depth: Int) throws(JSONError) -> [JSONValue] {
    var elements: [JSONValue] = []
    offset += 1
    skipWhitespace()
    if accept("]") { return elements }
    repeat {
      elements.append(try parseValue(depth: depth))
      skipWhitespace()
    } while accept(",")
    guard accept("]") else { throw unexpected("',' or ']'") }
    return elements
  }

  private mutating func parseWord() throws(JSONError) -> JSONValue {
    let words: [(String, JSONValue)] = [("null", .null), ("true", .bool(true)), ("false", .bool(false))]
    for (word, value) in words where accept(word: word) { return value }
    return .number(try parseNonFinite())
  }

  private mutating func parseNonFinite() throws(JSONError) -> Double {
    let start = offset
    let words: [(String, Double)] = [("NaN", .nan), ("Infinity", .infinity), ("-Infinity", -.infinity)]
    for (word, value) in words where accept(word: word) {
      guard allowsNonFinite else { throw failure("expected a finite number, found \(word)", at: start) }
      return value
    }
    throw unexpected("a value")
  }
}

// MARK: - Numbers and strings

extension JSONParser {
  private mutating func parseNumber() throws(JSONError) -> JSONValue {
    let start = offset
    if accept("-"), current == UInt8(ascii: "I") {
      offset = start
      return .number(try parseNonFinite())
    }
    if !accept("0") { try skipDigits() }
    var isWhole = true
    if accept(".") {
      isWhole = false
      try skipDigits()
    }
    if accept("e") || accept("E") {
      isWhole = false
      if !accept("+") { _ = accept("-") }
      try skipDigits()
    }
    let text = String(decoding: bytes[start..<offset], as: UTF8.self)
    if isWhole, let value = Int(text) { return .integer(value) }
    guard let value = Double(text), value.isFinite || allowsNonFinite else {
      throw failure("expected a number within the range of Float64, found one beyond it", at: start)
    }
    return .number(value)
  }

  private mutating func skipDigits() throws(JSONError) {
    guard isDigit(current) else { throw unexpected("a digit") }
    while isDigit(current) { offset += 1 }
  }

  private func isDigit(_ byte: UInt8?) -> Bool {
    guard let byte else { return false }
    return (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
  }

  private mutating func parseString() throws(JSONError) -> String {
    offset += 1
    var text = ""
    while true {
      let start = offset
      while let byte = current, byte >= 0x20, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\") { offset += 1 }
      text += String(decoding: bytes[start..<offset], as: UTF8.self)
      if accept("\"") { return text }
      guard accept("\\") else { throw unexpected("'\"' at the end of a string") }
      text.unicodeScalars.append(try parseEscape())
    }
  }

  private mutating func parseEscape() throws(JSONError) -> Unicode.Scalar {
    let escapes: [(Unicode.Scalar, Unicode.Scalar)] = [
      ("\"", "\""), ("\\", "\\"), ("/", "/"), ("b", "\u{8}"), ("f", "\u{C}"), ("n", "\n"), ("r", "\r"), ("t", "\t"),
    ]
    for (letter, scalar) in escapes where accept(letter) { return scalar }
    guard accept("u") else { throw unexpected("an escape sequence") }
    let start = offset
    let high = try parseHexadecimal()
    if let scalar = Unicode.Scalar(high) { return scalar }
    guard high < 0xDC00, accept(word: "\\u") else {
      throw failure("expected a pair of surrogates, found a single one", at: start)
    }
    let low = try parseHexadecimal()
    guard (0xDC00...0xDFFF).contains(low),
      let scalar = Unicode.Scalar(0x10000 + (high - 0xD800) << 10 + (low - 0xDC00))
    else { throw failure("expected a pair of surrogates, found a single one", at: start) }
    return scalar
  }

  private mutating func parseHexadecimal() throws(JSONError) -> UInt32 {
    var value: UInt32 = 0
    for _ in 0..<4 {
      guard let byte = current, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
        throw unexpected("four hexadecimal digits")
      }
      value = value << 4 + UInt32(digit)
      offset += 1
    }
    return value
  }
}

// MARK: - Position

extension JSONParser {
  private var current: UInt8? { offset < bytes.count ? bytes[offset] : nil }

  private mutating func skipWhitespace() {
    while let byte = current, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { offset += 1 }
  }

  private mutating func accept(_ character: Unicode.Scalar) -> Bool {
    guard current == UInt8(ascii: character) else { return false }
    offset += 1
    return true
  }

  private mutating func accept(word: String) -> Bool {
    guard bytes[offset...].starts(with: word.utf8) else { return false }
    offset += word.utf8.count
    return true
  }

  private func unexpected(_ expected: String) -> JSONError {
    failure("expected \(expected), found \(describeCurrent())", at: offset)
  }

  private func describeCurrent() -> String {
    switch current {
    case nil: "the end of the text"
    case .some(let byte) where (0x21...0x7E).contains(byte): "'\(Character(Unicode.Scalar(byte)))'"
    case .some(let byte): "byte 0x" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }
  }

  private func failure(_ problem: String, at offset: Int) -> JSONError {
    let line = 1 + bytes[..<offset].count { $0 == 0x0A }
    return JSONError(problem: problem, offset: offset, line: line)
  }
}
