import OrderedCollections
import RunStore
import Spectra
import Weights

extension Comparison {
  /// Everything as one object: all common steps, the norms, values, ratios and marks by run, notes and sentences.
  package var json: JSONValue {
    [
      "reference": .string(runs[0].name),
      "runs": .array(runs.indices.map(description)),
      "modules": .array(modules.names.map(JSONValue.string)),
      "quantities": .array(quantities.map { .string($0.rawValue) }),
      "base_norm": Self.number(baseNorm),
      "at_step": [
        "nearest_below": .bool(steps.isNearestBelow),
        "points": .array(
          steps.points.indices.map {
            object(at: $0, of: steps.points, ["step": .integer(Int(steps.points[$0].position))])
          }),
      ],
      "at_norm": [
        "points": .array(norms.points.indices.map { object(at: $0, of: norms.points, labels(norms.points[$0])) }),
        "apart": .array(norms.apart.map(object)),
      ],
      "notes": .array(notes.map(JSONValue.string)),
      "conclusion": .array(conclusion.map(JSONValue.string)),
    ]
  }

  private func description(of index: Int) -> JSONValue {
    let (run, trajectory) = (runs[index], trajectories[index])
    return [
      "name": .string(run.name), "path": .string(run.path), "method": .string(run.method),
      "learning_rate": Self.number(run.learningRate), "depth": .string(run.analysis.origin.depth),
      "delta": trajectory.delta.map { .string($0.rawValue) } ?? .null,
      "shape_delta": trajectory.isWithoutMagnitude
        ? .string(Delta.initialDirection.rawValue)
        : trajectory.delta.map { .string($0.rawValue) } ?? .null,
      "steps": .array(trajectory.points.map { .integer($0.step) }), "norms": Self.range(trajectory.norms),
      "by_construction": .array(
        constructions[index].map { construction in
          [
            "name": .string(construction.rawValue), "reason": .string(construction.reason),
            "quantities": .array(quantities.filter(construction.decides).map { .string($0.rawValue) }),
          ]
        }),
    ]
  }

  private func labels(_ point: AlignedPoint) -> OrderedDictionary<String, JSONValue> {
    ["frobenius_norm": .number(point.position), "relative_norm": Self.number(baseNorm.map { point.position / $0 })]
  }

  private func object(
    at index: Int, of points: [AlignedPoint], _ labels: OrderedDictionary<String, JSONValue>
  ) -> JSONValue {
    var object = labels
    object["runs"] = .array(runs.indices.map { values(of: $0, at: index, of: points) })
    return .object(object)
  }

  private func values(of run: Int, at index: Int, of points: [AlignedPoint]) -> JSONValue {
    let point = points[index]
    func numbers(_ value: (ComparedQuantity) -> JSONValue) -> JSONValue {
      .object(OrderedDictionary(uniqueKeysWithValues: quantities.map { ($0.rawValue, value($0)) }))
    }
    guard let found = point.values[run] else { return ["name": .string(runs[run].name), "values": .null] }
    return [
      "name": .string(runs[run].name),
      "values": numbers { Self.number(found[$0]) },
      "ratios": run == 0 ? .null : numbers { Self.number(ratio($0, run: run, at: point)) },
      "marks": run == 0
        ? .null : numbers { mark($0, run: run, at: index, in: points).map { .string($0.rawValue) } ?? .null },
    ]
  }

  private func object(of apart: NormAlignment.Apart) -> JSONValue {
    ["name": .string(runs[apart.run].name), "norms": Self.range(apart.norms), "others": Self.range(apart.others)]
  }

  private static func range(_ range: ClosedRange<Double>?) -> JSONValue {
    range.map { [.number($0.lowerBound), .number($0.upperBound)] } ?? .null
  }

  private static func number(_ value: Double?) -> JSONValue {
    guard let value, value.isFinite else { return .null }
    return .number(value)
  }
}
