import Weights

/// One column of a table: a name, a type, and in every row a value or nil for "missing".
package struct TableColumn: Equatable, Sendable {
  /// The values in the order of the rows. Numbers are finite.
  package enum Values: Equatable, Sendable {
    case integers([Int?])
    case numbers([Double?])
    case texts([String?])
  }

  package let name: String
  package let values: Values

  package static func integers(_ name: String, _ values: [Int?]) -> TableColumn {
    TableColumn(name: name, values: .integers(values))
  }

  /// NaN and the infinities are missing: not every format has them, and not every reader knows them where it has.
  package static func numbers(_ name: String, _ values: [Double?]) -> TableColumn {
    TableColumn(name: name, values: .numbers(values.map { $0.flatMap { $0.isFinite ? $0 : nil } }))
  }

  /// Numbers that are counts: integers, unless a file that is not ours has fractions in their place.
  package static func counts(_ name: String, _ values: [Double?]) -> TableColumn {
    let finite = values.map { $0.flatMap { $0.isFinite ? $0 : nil } }
    let counts = finite.map { $0.flatMap(Int.init(exactly:)) }
    let areWhole = zip(finite, counts).allSatisfy { $0 == nil || $1 != nil }
    return areWhole ? integers(name, counts) : numbers(name, finite)
  }

  package static func texts(_ name: String, _ values: [String?]) -> TableColumn {
    TableColumn(name: name, values: .texts(values))
  }

  /// The number of rows.
  package var count: Int {
    switch values {
    case .integers(let values): values.count
    case .numbers(let values): values.count
    case .texts(let values): values.count
    }
  }

  /// The value in a row as JSON has it; null where it is missing.
  package subscript(row: Int) -> JSONValue {
    switch values {
    case .integers(let values): values[row].map(JSONValue.integer) ?? .null
    case .numbers(let values): values[row].map(JSONValue.number) ?? .null
    case .texts(let values): values[row].map(JSONValue.string) ?? .null
    }
  }
}
