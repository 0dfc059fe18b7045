import OrderedCollections
import Weights

/// Options of a command in a JSON file: their names, with - or _, and their values.
enum OptionFile {
  /// The options as they would stand on the command line: a list with commas, or one by one for the options that are given several times;
  /// null and a false that no option says are left out.
  ///
  /// - Throws: `.cannotOpen`, or `.badContent` for what is no object of options.
  static func arguments(at path: String, repeated: Set<String>, negatable: Set<String>) throws(FileError) -> [String] {
    let file = try PositionedFile(path: path)
    guard let object = try? JSONValue(parsing: try file.read(file.size, at: 0)).object else {
      throw FileError(.badContent, path: path, "expected a JSON object of options, found other text")
    }
    var arguments: [String] = []
    for (key, value) in object {
      let name = key.replacing("_", with: "-")
      switch value {
      case .null: continue
      case .bool(let isSo): arguments += isSo ? ["--" + name] : negatable.contains(name) ? ["--no-" + name] : []
      case .array(let elements):
        let texts = elements.compactMap(text)
        guard texts.count == elements.count else { fallthrough }
        arguments +=
          repeated.contains(name)
          ? texts.flatMap { ["--" + name, $0] } : ["--\(name)=" + texts.joined(separator: ",")]
      case .string, .integer, .number: arguments.append("--\(name)=" + text(value)!)
      default:
        throw FileError(
          .badContent, path: path, object: FileError.quoted(key),
          "expected a text, a number, true, false, or a list of texts or numbers, found another value")
      }
    }
    return arguments
  }

  private static func text(_ value: JSONValue) -> String? {
    switch value {
    case .string(let text): text
    case .integer, .number: value.text()
    default: nil
    }
  }
}
