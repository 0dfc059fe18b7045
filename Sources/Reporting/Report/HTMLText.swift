import Weights

extension String {
  /// The text as it stands in HTML, between tags or in a quoted attribute: nothing of it can end where it stands. What hides or turns text
  /// around is spelled out, as names and messages come from files of others.
  package var escapedForHTML: String {
    onOneLine.replacingScalars { scalar in
      switch scalar {
      case "&": "&amp;"
      case "<": "&lt;"
      case ">": "&gt;"
      case "\"": "&quot;"
      case "'": "&#39;"
      default: nil
      }
    }
  }

  /// JSON as it stands in a script element: no `<` that could end it, and no line separators that are none in JSON.
  package var escapedForScript: String {
    // By bytes, as the text is long: of what is replaced, `<` is one byte, and the separators are E2 80 A8 and E2 80 A9.
    let bytes = Array(utf8)
    var result: [UInt8] = []
    result.reserveCapacity(bytes.count + bytes.count / 100)
    var index = 0
    while index < bytes.count {
      if bytes[index] == UInt8(ascii: "<") {
        result += Array("\\u003c".utf8)
      } else if bytes[index] == 0xE2, index + 2 < bytes.count, bytes[index + 1] == 0x80, bytes[index + 2] & 0xFE == 0xA8
      {
        result += Array((bytes[index + 2] == 0xA8 ? "\\u2028" : "\\u2029").utf8)
        index += 2
      } else {
        result.append(bytes[index])
      }
      index += 1
    }
    return String(decoding: result, as: UTF8.self)
  }

  /// The words of a command as a shell takes them apart again.
  static func command(_ words: [String]) -> String {
    words.map { word in
      let isPlain =
        !word.isEmpty
        && word.unicodeScalars.allSatisfy { scalar in
          scalar.properties.isAlphabetic || ("0"..."9").contains(scalar) || "-_./=:,+@%".unicodeScalars.contains(scalar)
        }
      return isPlain ? word : "'" + word.replacing("'", with: #"'\''"#) + "'"
    }.joined(separator: " ")
  }
}

/// HTML that is made of parts: text that was escaped, and tags that this program wrote.
struct HTML: ExpressibleByStringInterpolation, Sendable {
  var text: String

  /// Markup as it is; only ever that of this program.
  init(markup: String) { text = markup }
  init(stringLiteral value: String) { text = value }
  init(stringInterpolation: Interpolation) { text = stringInterpolation.text }

  /// The name of a module or file, which may be broken behind its dots and slashes.
  static func name(_ name: String) -> HTML {
    HTML(markup: name.escapedForHTML.replacing(/[.\/]/) { "\($0.output)<wbr>" })
  }

  /// What is interpolated into markup: other markup as it is, and anything else escaped.
  struct Interpolation: StringInterpolationProtocol {
    fileprivate var text = ""

    init(literalCapacity: Int, interpolationCount: Int) { text.reserveCapacity(literalCapacity) }
    mutating func appendLiteral(_ literal: String) { text += literal }
    mutating func appendInterpolation(_ part: HTML) { text += part.text }
    mutating func appendInterpolation(_ parts: [HTML]) { for part in parts { text += part.text } }
    mutating func appendInterpolation(_ value: String) { text += value.escapedForHTML }
    mutating func appendInterpolation(_ value: Int) { text += String(value) }
  }
}
