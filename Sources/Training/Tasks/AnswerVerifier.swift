import Foundation

/// How a response is held against the answer that a file gives.
package struct AnswerVerifier: Equatable, Sendable {
  package enum Kind: String, CaseIterable, Sendable {
    /// The same text.
    case exact
    /// The same whole number, of any length: digits behind an optional sign.
    case integer
    /// A decimal number, with or without an exponent, within the tolerance.
    case numeric
    /// What stands in the last `\boxed{…}`: the same text, or where both are numbers the same number within the tolerance.
    case boxed
  }

  package var kind: Kind
  /// How far a number may lie from the answer: |x − y| ≤ tolerance · max(1, |y|), which is relative to a large answer and absolute
  /// near 0.
  package var tolerance: Double

  /// How far a number may lie from the answer unless it is said.
  package static let defaultTolerance = 1e-6

  package init(_ kind: Kind, tolerance: Double = defaultTolerance) {
    (self.kind, self.tolerance) = (kind, tolerance)
  }

  /// Whether a whole response comes to the answer. White space around either does not count.
  package func isRight(_ response: String, answer: String) -> Bool {
    let (response, answer) = (trimmed(response), trimmed(answer))
    switch kind {
    case .exact: return response == answer
    case .integer: return Self.areEqualIntegers(response, answer)
    case .numeric: return areClose(response, answer)
    case .boxed:
      guard let content = Self.boxed(in: response).map(trimmed) else { return false }
      let expected = Self.boxed(in: answer).map(trimmed) ?? answer
      return content == expected || Self.areEqualIntegers(content, expected) || areClose(content, expected)
    }
  }

  /// Whether an answer is one that a response can come to.
  package func accepts(_ answer: String) -> Bool {
    switch kind {
    case .exact, .boxed: true
    case .integer: Self.integer(trimmed(answer)) != nil
    case .numeric: Self.number(trimmed(answer)) != nil
    }
  }

  /// The response that shows an answer: the answer itself, in a box where one is asked for and it has none.
  package func response(showing answer: String) -> String {
    kind == .boxed && Self.boxed(in: answer) == nil ? "\\boxed{\(answer)}" : answer
  }
}

private func trimmed(_ text: String) -> String { text.trimmingCharacters(in: .whitespacesAndNewlines) }

// MARK: - Numbers

extension AnswerVerifier {
  /// The digits of a whole number without leading zeros, `-` before them where it is negative; nil where the text is none. Only ASCII's
  /// digits are digits. As text, so that no number is too large.
  static func integer(_ text: String) -> String? {
    let digits = text.utf8.dropFirst(text.hasPrefix("-") || text.hasPrefix("+") ? 1 : 0)
    let decimal = UInt8(ascii: "0")...UInt8(ascii: "9")
    guard !digits.isEmpty, digits.allSatisfy(decimal.contains) else { return nil }
    let significant = String(decoding: digits.drop { $0 == UInt8(ascii: "0") }, as: UTF8.self)
    if significant.isEmpty { return "0" }
    return text.hasPrefix("-") ? "-" + significant : significant
  }

  /// A decimal number that `Double` can hold, such as `-12`, `.5` or `1e3`; nil for anything else, hexadecimal numbers, NaN and the
  /// infinities among it.
  static func number(_ text: String) -> Double? {
    guard text.unicodeScalars.allSatisfy({ "0123456789+-.eE".unicodeScalars.contains($0) }) else { return nil }
    return Double(text).flatMap { $0.isFinite ? $0 : nil }
  }

  private static func areEqualIntegers(_ response: String, _ answer: String) -> Bool {
    guard let found = integer(response), let expected = integer(answer) else { return false }
    return found == expected
  }

  private func areClose(_ response: String, _ answer: String) -> Bool {
    guard let found = Self.number(response), let expected = Self.number(answer) else { return false }
    return abs(found - expected) <= tolerance * max(1, abs(expected))
  }
}

// MARK: - Boxes

extension AnswerVerifier {
  private static let opening = "\\boxed{"

  /// What stands between the braces of the last `\boxed{…}`. Braces within it belong to it as long as they are balanced; one behind a
  /// backslash is a character like others.
  ///
  /// - Returns: nil where there is no box, or the last one does not end.
  static func boxed(in text: String) -> String? {
    guard let start = text.range(of: opening, options: [.backwards, .literal])?.upperBound else { return nil }
    var (content, depth, isEscaped) = (String.UnicodeScalarView(), 1, false)
    for scalar in text.unicodeScalars[start...] {
      if !isEscaped, scalar == "{" { depth += 1 }
      if !isEscaped, scalar == "}" { depth -= 1 }
      if depth == 0 { return String(content) }
      isEscaped = scalar == "\\" && !isEscaped
      content.append(scalar)
    }
    return nil
  }
}
