import Diagnosis
import Spectra
import Weights

/// What the charts of the comparison draw: every shown quantity of every run, by step and by size of the update.
struct ComparisonData {
  let comparison: Comparison

  var json: JSONValue {
    let base = comparison.baseNorm
    return [
      "isRelative": .bool(base != nil),
      "runs": .array(
        comparison.trajectories.map { trajectory in
          [
            "steps": .array(trajectory.points.map { .integer($0.step) }),
            "norms": .array(trajectory.points.map { Self.number($0.norm.map { $0 / (base ?? 1) }) }),
          ]
        }),
      "quantities": .array(quantities.map(object)),
    ]
  }

  /// Those that are no axis themselves.
  private var quantities: [ComparedQuantity] {
    comparison.shownQuantities.filter { $0 != .step }
  }

  private func object(_ quantity: ComparedQuantity) -> JSONValue {
    [
      "key": .string(quantity.rawValue), "title": .string(quantity.title ?? quantity.rawValue),
      "scale": .string(Self.scale(of: quantity).rawValue),
      "byConstruction": .array(
        comparison.runs.indices.map { .bool($0 > 0 && comparison.isByConstruction(quantity, run: $0)) }),
      "values": .array(
        comparison.trajectories.map { trajectory in
          .array(trajectory.points.map { Self.number($0.values[quantity]) })
        }),
    ]
  }

  private static func scale(of quantity: ComparedQuantity) -> PackedArray.Scale {
    switch quantity {
    case .reward, .accuracy, .effectiveRank, .overlap, .leftOverlap, .rightOverlap: .linear
    default: .log
    }
  }

  private static func number(_ value: Double?) -> JSONValue {
    guard let value, value.isFinite else { return .null }
    return .number(value)
  }
}
