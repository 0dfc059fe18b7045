/// What is wrong with a file, in the four parts that a message owes its reader: which file and which object in it, what
/// was expected, what was found, and what to do.
package struct FileError: Error, Equatable, Sendable {
  /// The kind decides the exit code of the command line (`sysexits.h`).
  package enum Kind: Sendable {
    /// The content is broken or of a kind that cannot be used (exit code 65).
    case badContent
    /// The content can be read, and its values are NaN or infinite (exit code 65).
    case nonFinite
    /// The file is missing or may not be read (exit code 66).
    case cannotOpen
    /// A file or folder cannot be created (exit code 73).
    case cannotCreate
    /// Writing failed part way (exit code 74).
    case cannotWrite
  }

  package var kind: Kind
  /// The file or folder, as the caller named it.
  package var path: String
  /// The tensor, dataset or field that is concerned; empty when it is the file as a whole.
  package var object: String
  /// What is wrong, as "expected …, found …" wherever there is an expectation.
  package var problem: String
  /// What the reader can do about it; empty when the problem says it all.
  package var remedy: String

  package init(_ kind: Kind, path: String, object: String = "", _ problem: String, remedy: String = "") {
    self.kind = kind
    self.path = path
    self.object = object
    self.problem = problem
    self.remedy = remedy
  }
}

extension FileError {
  /// True where the file could be opened and what is in it cannot be used.
  package var isAboutContent: Bool { kind == .badContent || kind == .nonFinite }
}

extension FileError: CustomStringConvertible {
  /// One line: `path: object: problem. Remedy.`
  package var description: String {
    let path = path.isEmpty ? "\"\"" : path
    let subject = object.isEmpty ? path : "\(path): \(object)"
    if remedy.isEmpty { return "\(subject): \(problem)" }
    return "\(subject): \(problem)\(problem.hasSuffix("?") ? "" : ".") \(remedy)"
  }
}

extension FileError {
  /// A name taken from a file, in quotes, fit for a message: at most 200 characters, and control characters spelled out,
  /// so that a hostile name can neither break the line nor steer the terminal.
  package static func quoted(_ name: String) -> String {
    let limit = 200
    var text = ""
    for scalar in name.unicodeScalars.prefix(limit) {
      switch scalar.properties.generalCategory {
      case .control, .format, .lineSeparator, .paragraphSeparator:
        text += "\\u{" + String(scalar.value, radix: 16) + "}"
      default: text.unicodeScalars.append(scalar)
      }
    }
    return "\"" + text + (name.unicodeScalars.count > limit ? "…" : "") + "\""
  }
}
