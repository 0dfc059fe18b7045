import Foundation

extension String {
  /// The text in lines of at most `width` characters, each behind `indent`; a word that is longer has a line of its own.
  package func wrapped(to width: Int, indent: String = "") -> String {
    var lines: [String] = []
    var line = ""
    for word in split(separator: " ") {
      if !line.isEmpty, indent.count + line.count + 1 + word.count > width {
        lines.append(indent + line)
        line = ""
      }
      line += (line.isEmpty ? "" : " ") + word
    }
    if !line.isEmpty { lines.append(indent + line) }
    return lines.joined(separator: "\n")
  }

  /// The text up to the first full stop that ends a sentence.
  package var firstSentence: String {
    guard let end = range(of: ". ") else { return self }
    return String(self[..<end.lowerBound]) + "."
  }
}
