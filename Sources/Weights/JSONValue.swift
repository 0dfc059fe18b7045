import OrderedCollections

/// A JSON document in memory. Objects keep the order of their keys, because the meaning of some files depends on it
/// (PEFT takes the first entry of `rank_pattern` that matches).
package enum JSONValue: Equatable, Sendable {
  case null
  case bool(Bool)
  /// A number written without fraction and exponent that fits `Int`.
  case integer(Int)
  /// Any other number; NaN and the infinities only where the parser was told to accept them.
  case number(Double)
  case string(String)
  case array([JSONValue])
  case object(OrderedDictionary<String, JSONValue>)
}

extension JSONValue {
  /// Whether this is `null`.
  package var isNull: Bool { self == .null }

  /// The truth value, or nil for any other kind.
  package var bool: Bool? {
    if case .bool(let value) = self { value } else { nil }
  }

  /// The number where it is whole and fits `Int` (16 and 16.0 alike), else nil.
  package var int: Int? {
    switch self {
    case .integer(let value): value
    case .number(let value): Int(exactly: value)
    default: nil
    }
  }

  /// The number, rounded to the nearest `Double`, or nil for any other kind.
  package var double: Double? {
    switch self {
    case .integer(let value): Double(value)
    case .number(let value): value
    default: nil
    }
  }

  /// The text, or nil for any other kind.
  package var string: String? {
    if case .string(let value) = self { value } else { nil }
  }

  /// The elements, or nil for any other kind.
  package var array: [JSONValue]? {
    if case .array(let value) = self { value } else { nil }
  }

  /// The members in the order of the text, or nil for any other kind.
  package var object: OrderedDictionary<String, JSONValue>? {
    if case .object(let value) = self { value } else { nil }
  }

  /// The member of that name; nil where there is none, or where this is no object.
  package subscript(key: String) -> JSONValue? { object?[key] }
}

extension JSONValue: ExpressibleByNilLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral,
  ExpressibleByFloatLiteral, ExpressibleByStringLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
  package init(nilLiteral: ()) { self = .null }
  package init(booleanLiteral value: Bool) { self = .bool(value) }
  package init(integerLiteral value: Int) { self = .integer(value) }
  package init(floatLiteral value: Double) { self = .number(value) }
  package init(stringLiteral value: String) { self = .string(value) }
  package init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
  package init(dictionaryLiteral elements: (String, JSONValue)...) {
    self = .object(OrderedDictionary(uniqueKeysWithValues: elements))
  }
}

/// Where and why a text is not JSON.
package struct JSONError: Error, Equatable, Sendable {
  /// What is wrong, as "expected …, found …".
  package var problem: String
  /// The byte at which it was noticed, counted from 0.
  package var offset: Int
  /// The line of that byte, counted from 1.
  package var line: Int

  /// The error at a byte and the line it is on.
  package init(problem: String, offset: Int, line: Int) {
    self.problem = problem
    self.offset = offset
    self.line = line
  }
}

extension JSONError: CustomStringConvertible {
  package var description: String { "invalid JSON at line \(line), byte \(offset): \(problem)" }
}
