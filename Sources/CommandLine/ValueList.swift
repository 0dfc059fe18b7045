import ArgumentParser

/// Values of an option with commas between them.
enum ValueList {
  /// - Parameter what: what each is expected to be, for messages.
  /// - Throws: for an empty list, a value that is none, and one that is there twice.
  static func parse<Value: Hashable>(_ text: String, of what: String, _ value: (String) -> Value?) throws -> [Value] {
    let parts = text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    if text.isEmpty { throw ValidationError("expected \(what), with commas between several, found an empty text") }
    var values: [Value] = []
    for part in parts {
      guard let found = value(part) else { throw ValidationError("expected \(what), found '\(part)'") }
      if values.contains(found) { throw ValidationError("expected each value once, found '\(part)' twice") }
      values.append(found)
    }
    return values
  }
}
