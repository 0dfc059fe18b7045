import Weights

/// A JSON file whose fields are checked one by one; an error names the file, the field, what was expected and what found.
struct JSONFields {
  let path: String
  let json: JSONValue

  /// Reads a file. Python writes numbers that are not finite, which no field here may have: they are named as such.
  init(path: String) throws(FileError) {
    self.path = path
    json = try JSONValue(contentsOf: path, allowingNonFinite: true)
  }

  /// The value at a dotted path, such as `model.type`; nil where there is none or it is null.
  func value(_ field: String) -> JSONValue? {
    guard let value = stated(field), !value.isNull else { return nil }
    return value
  }

  /// `value`, but null where the file says null.
  func stated(_ field: String) -> JSONValue? {
    var value: JSONValue? = json
    for key in field.split(separator: ".") { value = value?[String(key)] }
    return value
  }

  /// A positive whole number, or `standard` where there is none.
  func count(_ field: String, or standard: Int) throws(FileError) -> Int {
    guard let value = value(field) else { return standard }
    guard let number = value.int, number > 0 else { throw wrong(field, expected: "a positive whole number") }
    return number
  }

  /// A truth value, false where there is none.
  func flag(_ field: String) throws(FileError) -> Bool {
    guard let value = value(field) else { return false }
    guard let flag = value.bool else { throw wrong(field, expected: "true or false") }
    return flag
  }

  /// A positive number, or nil where there is none.
  func positive(_ field: String) throws(FileError) -> Double? {
    guard let value = value(field) else { return nil }
    guard let number = value.double, number.isFinite, number > 0 else {
      throw wrong(field, expected: "a positive number")
    }
    return number
  }

  /// The error that a field has another value than is expected.
  func wrong(_ field: String, expected: String, remedy: String = "") -> FileError {
    wrong(field, stated(field), expected: expected, remedy: remedy)
  }

  /// The same with the value that is to be named, where it is not the field's own.
  func wrong(_ field: String, _ value: JSONValue?, expected: String, remedy: String = "") -> FileError {
    FileError(
      .badContent, path: path, object: field, "expected \(expected), found \(Self.text(value))", remedy: remedy)
  }

  private static func text(_ value: JSONValue?) -> String {
    switch value {
    case nil: "none"
    case .number(let number) where !number.isFinite: number.isNaN ? "NaN" : number > 0 ? "Infinity" : "-Infinity"
    case .string(let text): FileError.quoted(text)
    case .array: "a list"
    case .object: "an object"
    case .some(let value): value.text()
    }
  }
}
