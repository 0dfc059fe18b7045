import ArgumentParser
import OrderedCollections
import Weights

/// Options of a command in a JSON file: their names, with - or _, and their values.
enum OptionFile {
  /// The one object in a file.
  ///
  /// - Throws: `.cannotOpen`, or `.badContent` for what is none.
  static func object(at path: String) throws(FileError) -> OrderedDictionary<String, JSONValue> {
    let file = try PositionedFile(path: path)
    guard file.size <= 1 << 20, let object = try? JSONValue(parsing: try file.read(file.size, at: 0)).object else {
      throw FileError(.badContent, path: path, "expected a JSON object of options, found other text")
    }
    return object
  }

  /// The options as they would stand on the command line: a list with commas, or one by one for the options that are given several times;
  /// an object as names with values; null and a false that no option says are left out.
  ///
  /// - Parameter path: the file that the object is from.
  /// - Throws: `.badContent` for what is no option's value.
  static func arguments(
    from object: OrderedDictionary<String, JSONValue>, at path: String, repeated: Set<String>, negatable: Set<String>
  ) throws(FileError) -> [String] {
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
      case .object(let members):
        let texts = try members.map { name, element throws(FileError) in name + "=" + (try text(element, of: key, path))
        }
        arguments.append(name + "=" + texts.joined(separator: ","))
      default: arguments.append(name + "=" + (try text(value, of: key, path)))
      }
    }
    return arguments
  }

  private static func text(_ value: JSONValue, of key: String, _ path: String) throws(FileError) -> String {
    switch value {
    case .string(let text): return text
    case .integer: return value.text()
    // 1.0 is 1 in JSON.
    case .number(let number): return Int(exactly: number).map(String.init) ?? value.text()
    default:
      throw FileError(
        .badContent, path: path, object: FileError.quoted(key),
        "expected a text, a number, true, false, or a list of texts or numbers, found another value")
    }
  }

  /// The command as the file says it, where the command line says nothing else.
  ///
  /// - Parameters:
  ///   - object: the options of the file at `path`.
  ///   - repeated: options that are given several times; those of the command line replace those of the file.
  ///   - negatable: flags with a form `--no-…`.
  ///   - own: the command line's arguments behind the command's name, which can be parsed without the file.
  /// - Throws: as `arguments`, or where the file holds what is no option of the command.
  static func command<Command: ParsableCommand>(
    _ type: Command.Type, from object: OrderedDictionary<String, JSONValue>, at path: String,
    repeated: Set<String> = [], negatable: Set<String>, behind own: [String]
  ) throws -> Command {
    var arguments = try arguments(from: object, at: path, repeated: repeated, negatable: negatable)
    if arguments.contains(where: { $0.hasPrefix("--config") }) {
      throw FileError(.badContent, path: path, "--config cannot be given in the file itself")
    }
    for name in repeated where own.contains(where: { $0 == name || $0.hasPrefix(name + "=") }) {
      let places = Set(arguments.indices.filter { arguments[$0] == name }.flatMap { [$0, $0 + 1] })
      arguments = arguments.indices.filter { !places.contains($0) }.map { arguments[$0] }
    }
    do {
      // Of an option that is given twice the last one counts. The command line was parsed by itself before.
      return try type.parse(arguments + own)
    } catch {
      throw FileError(
        .badContent, path: path, type.message(for: error),
        remedy: "`spectroscope \(type._commandName) --help` lists the options")
    }
  }
}
