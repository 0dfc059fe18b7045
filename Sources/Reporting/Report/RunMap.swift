import Diagnosis
import OrderedCollections
import RunStore
import Weights

/// One run on the map of methods and learning rates.
package struct MappedRun: Equatable, Sendable {
  package var name: String
  package var method: String
  package var learningRate: Double
  package var seed: Int?
  package var startAccuracy: Double?
  package var finalAccuracy: Double?
  package var label: RunLabel?
  /// Held-out accuracy, or the reward where there is none, by step.
  package var curve: Series
  package var isReward: Bool

  package init(
    name: String, method: String, learningRate: Double, seed: Int? = nil, startAccuracy: Double? = nil,
    finalAccuracy: Double? = nil, label: RunLabel? = nil, curve: Series, isReward: Bool
  ) {
    (self.name, self.method, self.learningRate, self.seed) = (name, method, learningRate, seed)
    (self.startAccuracy, self.finalAccuracy, self.label) = (startAccuracy, finalAccuracy, label)
    (self.curve, self.isReward) = (curve, isReward)
  }

  /// - Returns: nil where method or learning rate are not known.
  init?(_ run: ReportRun) {
    guard let rate = run.learningRate, !run.method.isEmpty else { return nil }
    self.init(name: run.name, method: run.method, learningRate: rate, seed: nil, run.evidence.timeline)
  }

  /// From what training recorded.
  package init(name: String, method: String, learningRate: Double, seed: Int?, _ timeline: Timeline) {
    let (accuracies, rewards) = (timeline["accuracy"], timeline["reward"])
    let isReward = accuracies.count < 2
    let course = RunCourse(accuracies: accuracies, retention: timeline["retention"].last?.value)
    self.init(
      name: name, method: method, learningRate: learningRate, seed: seed, startAccuracy: accuracies.values.first,
      finalAccuracy: accuracies.last?.value, label: isReward ? nil : course?.label,
      curve: isReward ? rewards : accuracies, isReward: isReward)
  }
}

/// Methods against learning rates: what became of each run, and where each method's critical rate lies.
package struct RunMap: Sendable {
  /// All runs of a method.
  struct Row: Sendable {
    let method: String
    let runs: [MappedRun]
    /// The median over seeds, and the lowest and highest.
    let critical: CriticalRate.Spread?
  }

  let learningRates: [Double]
  let rows: [Row]

  /// - Returns: nil for fewer than two learning rates, which make no map.
  init?(_ runs: [MappedRun]) {
    learningRates = Set(runs.map(\.learningRate)).sorted()
    guard learningRates.count > 1 else { return nil }
    rows = OrderedDictionary(grouping: runs, by: \.method).map { method, runs in
      Row(method: method, runs: runs, critical: Self.critical(runs))
    }
  }

  private static func critical(_ runs: [MappedRun]) -> CriticalRate.Spread? {
    let rates = OrderedDictionary(grouping: runs, by: \.seed).values.compactMap { runs in
      let ends = runs.compactMap { run -> CriticalRate.Run? in
        guard let start = run.startAccuracy, let end = run.finalAccuracy else { return nil }
        return CriticalRate.Run(learningRate: run.learningRate, startAccuracy: start, finalAccuracy: end)
      }
      // Of one rate alone nothing is said of the border between rates.
      return ends.count > 1 ? CriticalRate(ends) : nil
    }
    return CriticalRate.Spread(rates)
  }

  var json: JSONValue {
    [
      "rates": .array(learningRates.map(JSONValue.number)),
      "rows": .array(
        rows.map { row in
          [
            "method": .string(row.method.onOneLine), "critical": Self.object(row.critical?.median),
            "lowest": Self.object(row.critical?.lowest), "highest": Self.object(row.critical?.highest),
            "runs": .array(row.runs.map(Self.object)),
          ]
        }),
    ]
  }

  private static func object(_ rate: CriticalRate?) -> JSONValue {
    rate.map { ["relation": .string($0.relation), "rate": .number($0.rate)] } ?? .null
  }

  private static func object(_ run: MappedRun) -> JSONValue {
    [
      "name": .string(run.name.onOneLine), "rate": .number(run.learningRate),
      "seed": run.seed.map(JSONValue.integer) ?? .null, "label": run.label.map { .string($0.rawValue) } ?? .null,
      "start": run.startAccuracy.map(JSONValue.number) ?? .null,
      "final": run.finalAccuracy.map(JSONValue.number) ?? .null, "isReward": .bool(run.isReward),
      "steps": .array(run.curve.points.map { .integer($0.step) }),
      "curve": PackedArray(run.curve.values, scale: .linear).json,
    ]
  }
}
