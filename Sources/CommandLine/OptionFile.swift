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
      let name = "--" + key.replacing("_", with: "-")
      switch value {
      case .null: continue
      case .bool(true): arguments.append(name)
      case .bool(false): arguments += negatable.contains(name) ? ["--no-" + name.dropFirst(2)] : []
      case .array(let elements) where repeated.contains(name):
        for element in elements { arguments += [name, try text(element, of: key, path)] }
      case .array(let elements):
        let texts = try elements.map { element throws(FileError) in try text(element, of: key, path) }
        arguments.append(name + "=" + texts.joined(separator: ","))
      default: arguments.append(name + "=" + (try text(value, of: key, path)))
      }
    }
    return arguments
  }

  private static func text(_ value: JSONValue, of key: String, _ path: String) throws(FileError) -> String {
    switch value {
    case .string(let text): return text
    case .integer, .number: return value.text()
    default:
      throw FileError(
        .badContent, path: path, object: FileError.quoted(key),
        "expected a text, a number, true, false, or a list of texts or numbers, found another value")
    }
  }
}
