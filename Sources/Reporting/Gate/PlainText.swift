extension String {
  /// The text on one line, fit for a terminal: what steers one, breaks lines, hides or turns text around, or may not stand in XML is
  /// spelled out as `\u{1b}`. Names and messages come from files of others.
  package var onOneLine: String {
    var text = ""
    for scalar in unicodeScalars {
      if scalar.mayBeShown {
        text.unicodeScalars.append(scalar)
      } else {
        text += "\\u{" + String(scalar.value, radix: 16) + "}"
      }
    }
    return text
  }

  /// The text with the scalars for which `replacement` has something replaced by it. By scalars: for Swift a quote with an accent is one
  /// character that is no quote.
  func replacingScalars(_ replacement: (Unicode.Scalar) -> String?) -> String {
    var text = ""
    for scalar in unicodeScalars {
      if let new = replacement(scalar) { text += new } else { text.unicodeScalars.append(scalar) }
    }
    return text
  }
}

extension Unicode.Scalar {
  /// False for control and format characters, line and paragraph separators, and what is no character.
  var mayBeShown: Bool {
    switch properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator: false
    default: !properties.isNoncharacterCodePoint
    }
  }
}
