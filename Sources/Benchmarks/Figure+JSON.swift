import Weights

extension Figure {
  var json: JSONValue {
    [
      "name": .string(name), "unit": .string(unit.rawValue), "conditions": conditions.json, "own": own.json,
      "peer": peer?.json ?? .null, "ratio": ratio?.json ?? .null, "target": target?.json ?? .null,
      "met": isMet.map(JSONValue.bool) ?? .null,
    ]
  }

  init?(json: JSONValue) {
    guard let name = json["name"]?.string, let unit = json["unit"]?.string.flatMap(Unit.init(rawValue:)),
      let conditions = json["conditions"].flatMap(Conditions.init(json:)),
      let own = json["own"].flatMap(Side.init(json:))
    else { return nil }
    self.init(
      name: name, unit: unit, conditions: conditions, own: own, peer: json["peer"].flatMap(Side.init(json:)),
      target: json["target"].flatMap(Target.init(json:)))
  }
}

extension Figure.Side {
  fileprivate var json: JSONValue {
    [
      "work": .string(work), "values": .array(values.map(JSONValue.number)), "median": .number(spread.median),
      "said": .string(said), "extrapolated": .number(factor),
    ]
  }

  fileprivate init?(json: JSONValue) {
    guard let work = json["work"]?.string, let values = json["values"]?.array?.compactMap(\.double), !values.isEmpty,
      let said = json["said"]?.string, let factor = json["extrapolated"]?.double
    else { return nil }
    self.init(work: work, values: values, said: said, factor: factor)
  }
}

extension Figure.Conditions {
  fileprivate var json: JSONValue {
    [
      "clock": clock.map { .string($0.rawValue) } ?? .null, "threads": .integer(threads), "size": .string(size),
      "depth": .string(depth), "precision": .string(precision),
    ]
  }

  fileprivate init?(json: JSONValue) {
    guard let threads = json["threads"]?.int, let size = json["size"]?.string, let depth = json["depth"]?.string,
      let precision = json["precision"]?.string
    else { return nil }
    self.init(
      clock: json["clock"]?.string.flatMap(Clock.init(rawValue:)), threads: threads, size: size, depth: depth,
      precision: precision)
  }
}

extension Spread {
  fileprivate var json: JSONValue { ["median": .number(median), "least": .number(least), "most": .number(most)] }
}

extension Target {
  private var parts: (kind: String, value: Double) {
    switch self {
    case .atMost(let value): ("at_most", value)
    case .timesPeer(let value): ("times_peer", value)
    case .timesAsFast(let value): ("times_as_fast", value)
    }
  }

  fileprivate var json: JSONValue { ["kind": .string(parts.kind), "value": .number(parts.value)] }

  fileprivate init?(json: JSONValue) {
    guard let kind = json["kind"]?.string, let value = json["value"]?.double else { return nil }
    switch kind {
    case "at_most": self = .atMost(value)
    case "times_peer": self = .timesPeer(value)
    case "times_as_fast": self = .timesAsFast(value)
    default: return nil
    }
  }
}
