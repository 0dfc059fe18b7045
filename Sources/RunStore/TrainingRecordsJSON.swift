import OrderedCollections
import Weights

// Unlike a line of `training.jsonl` this has every part of a record, also which numbers were not finite.

extension TrainingRecords {
  /// All records, in a form that `init(json:)` reads back to equal ones.
  package var json: JSONValue { .array(records.map(\.json)) }

  /// Nil for what is no such list.
  package init?(json: JSONValue) {
    self.init()
    guard let array = json.array else { return nil }
    for element in array {
      guard let record = Record(parts: element) else { return nil }
      add(record)
    }
  }
}

extension TrainingRecords.Record {
  fileprivate var json: JSONValue {
    [
      "step": .integer(step), "values": Self.json(values), "series": .object(series.mapValues(Self.json)),
      "non_finite": .array(nonFinite.sorted().map(JSONValue.string)),
    ]
  }

  fileprivate init?(parts: JSONValue) {
    guard let step = parts["step"]?.int, let values = parts["values"]?.object, let series = parts["series"]?.object,
      let nonFinite = parts["non_finite"]?.array
    else { return nil }
    self.step = step
    self.values = values.mapValues(\.double)
    self.series = series.mapValues { ($0.object ?? [:]).mapValues(\.double) }
    self.nonFinite = Set(nonFinite.compactMap(\.string))
  }

  private static func json(_ numbers: OrderedDictionary<String, Double?>) -> JSONValue {
    .object(numbers.mapValues { $0.map(JSONValue.number) ?? .null })
  }
}
