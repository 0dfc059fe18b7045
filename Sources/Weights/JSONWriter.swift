import OrderedCollections

extension JSONValue {
  /// The JSON text: on one line without spaces, or `pretty`, as Python's `json.dumps(…, indent=2)` lays it out.
  ///
  /// Keys keep their order. Numbers are the shortest text that reads back as the same value; NaN and the infinities,
  /// which JSON does not have, become `null`.
  package func text(pretty: Bool = false) -> String {
    var writer = JSONWriter(isPretty: pretty)
    writer.write(self, depth: 0)
    return writer.output
  }
}

private struct JSONWriter {
  let isPretty: Bool
  private(set) var output = ""

  init(isPretty: Bool) { self.isPretty = isPretty }

  mutating func write(_ value: JSONValue, depth: Int) {
    switch value {
    case .null: output += "null"
    case .bool(let value): output += value ? "true" : "false"
    case .integer(let value): output += String(value)
    case .number(let value): output += value.isFinite ? value.description : "null"
    case .string(let value): write(value)
    case .array(let elements):
      writeList(elements, between: "[", and: "]", depth: depth) { $0.write($1, depth: depth + 1) }
    case .object(let members):
      writeList(members.elements, between: "{", and: "}", depth: depth) {
        $0.write($1.key)
        $0.output += $0.isPretty ? ": " : ":"
        $0.write($1.value, depth: depth + 1)
      }
    }
  }

  private mutating func writeList<Items: Sequence>(
    _ items: Items, between open: String, and close: String, depth: Int,
    _ writeItem: (inout JSONWriter, Items.Element) -> Void
  ) {
    output += open
    var isFirst = true
    for item in items {
      if !isFirst { output += "," }
      isFirst = false
      startLine(depth + 1)
      writeItem(&self, item)
    }
    if !isFirst { startLine(depth) }
    output += close
  }

  private mutating func startLine(_ depth: Int) {
    guard isPretty else { return }
    output += "\n" + String(repeating: "  ", count: depth)
  }

  private mutating func write(_ text: String) {
    output += "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": output += "\\\""
      case "\\": output += "\\\\"
      case "\n": output += "\\n"
      case "\r": output += "\\r"
      case "\t": output += "\\t"
      case ..<"\u{20}": output += "\\u00" + (scalar.value < 16 ? "0" : "") + String(scalar.value, radix: 16)
      default: output.unicodeScalars.append(scalar)
      }
    }
    output += "\""
  }
}
