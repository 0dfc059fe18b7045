import Weights

/// The values of a column in one row group, as Parquet stores them: where there is one, its bytes, and the least and the greatest.
struct ParquetValues {
  /// Parquet's physical types.
  enum Kind: Int {
    case int64 = 2
    case double = 5
    case byteArray = 6
  }

  /// Texts that are longer have no place among the statistics.
  private static let longestBound = 64

  /// 1 where a row has a value, 0 where it is missing.
  private(set) var definitionLevels: [Int]
  /// The values without gaps, one after the other.
  private(set) var plain: [UInt8] = []
  /// The different values and the place of each value among them, where that is shorter.
  private(set) var dictionary: (plain: [UInt8], count: Int, places: [Int])?
  /// The least and the greatest value; nil where there is none, or it is long.
  private(set) var bounds: (least: [UInt8], greatest: [UInt8])?

  init(_ column: TableColumn, rows: Range<Int>) {
    switch column.values {
    case .integers(let values):
      definitionLevels = Self.levels(values[rows])
      let present = values[rows].compactMap { $0.map(Int64.init) }
      plain.append(littleEndian: present)
      encodeWithDictionary(present) { $0.append(littleEndian: $1) }
      if let least = present.min(), let greatest = present.max() {
        bounds = (Self.bytes(least), Self.bytes(greatest))
      }
    case .numbers(let values):
      definitionLevels = Self.levels(values[rows])
      let present = values[rows].compactMap(\.self)
      plain.append(littleEndian: present)
      if let least = present.min(), let greatest = present.max() {
        // Zeros of both signs are equal: the bounds have to hold both.
        bounds = (
          Self.bytes((least == 0 ? -0.0 : least).bitPattern), Self.bytes((greatest == 0 ? 0.0 : greatest).bitPattern)
        )
      }
    case .texts(let values):
      definitionLevels = Self.levels(values[rows])
      // Bytes from here on: Swift's texts are equal where they look the same.
      let present = values[rows].compactMap { $0.map { [UInt8]($0.utf8) } }
      if !encodeWithDictionary(present, Self.append) { for text in present { Self.append(&plain, text) } }
      bounds = Self.bounds(ofTexts: dictionary == nil ? present : Array(Set(present)))
    }
  }

  /// How many rows have a value.
  var presentCount: Int { definitionLevels.reduce(0, +) }

  private static func levels<Value>(_ values: ArraySlice<Value?>) -> [Int] { values.map { $0 == nil ? 0 : 1 } }

  /// Takes a dictionary where values recur twice at least on average; says whether it did.
  @discardableResult
  private mutating func encodeWithDictionary<Value: Hashable>(
    _ values: [Value], _ append: (inout [UInt8], Value) -> Void
  ) -> Bool {
    var places: [Value: Int] = [:]
    var bytes: [UInt8] = []
    var found: [Int] = []
    var last: Value?
    for value in values {
      // Texts often stand in long runs.
      if value == last, let place = found.last {
        found.append(place)
        continue
      }
      last = value
      if let place = places[value] {
        found.append(place)
      } else {
        guard places.count < values.count / 2 else { return false }
        found.append(places.count)
        places[value] = places.count
        append(&bytes, value)
      }
    }
    guard !places.isEmpty else { return false }
    dictionary = (bytes, places.count, found)
    return true
  }

  private static func append(_ bytes: inout [UInt8], _ text: [UInt8]) {
    bytes.append(littleEndian: UInt32(text.count))
    bytes += text
  }

  private static func bytes(_ value: some FixedWidthInteger) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.append(littleEndian: value)
    return bytes
  }

  /// Texts are ordered by their bytes.
  private static func bounds(ofTexts texts: [[UInt8]]) -> (least: [UInt8], greatest: [UInt8])? {
    guard let least = texts.min(by: { $0.lexicographicallyPrecedes($1) }),
      let greatest = texts.max(by: { $0.lexicographicallyPrecedes($1) }),
      max(least.count, greatest.count) <= longestBound
    else { return nil }
    return (least, greatest)
  }
}

extension TableColumn {
  /// Parquet's type of the column.
  var parquetKind: ParquetValues.Kind {
    switch values {
    case .integers: .int64
    case .numbers: .double
    case .texts: .byteArray
    }
  }
}
