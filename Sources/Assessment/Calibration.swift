import Diagnosis
import Foundation
import OrderedCollections

/// What the calibration half of a corpus says healthy runs do.
package struct Calibration: Sendable {
  /// The strides of one run while an alarm still counts, at one spacing.
  package struct Observation: Sendable {
    package var run: String
    package var base: String
    package var method: String
    package var label: RunLabel
    package var strides: [Stride]

    package init(run: String, base: String, method: String, label: RunLabel, strides: [Stride]) {
      (self.run, self.base, self.method) = (run, base, method)
      (self.label, self.strides) = (label, strides)
    }

    var isHealthy: Bool { label == .clean || label == .unlearned }
    var size: Double? { strides.map(\.relativeSize).max() }
    var shift: Double? { strides.compactMap(\.relativeShift).max() }

    /// Its largest excess over some bounds; nil without bounds for its method.
    func excess(over bounds: [String: StrideBounds.Method]) -> Double? {
      bounds[method].flatMap { own in strides.map { StrideExcess($0, over: own).total }.max() }.map(rounded)
    }
  }

  /// A method has bounds where so many of its runs were healthy.
  private static let leastHealthyRuns = 3

  /// Bounds from all runs, and what healthy runs do against bounds from other bases than their own: a run that is judged is on a base that no bound
  /// was taken from, and that is what p-values and the alarm have to bear.
  ///
  /// - Parameter observations: of runs with at least one stride.
  /// - Returns: the bounds, and each run's largest excess over bounds from other bases.
  package static func strideBounds(
    spacing: Int, _ observations: [Observation]
  ) -> (bounds: StrideBounds, elsewhere: [String: Double]) {
    let methods = methods(observations)
    var elsewhere: [String: Double] = [:]
    for (base, own) in Dictionary(grouping: observations, by: \.base) {
      let others = self.methods(observations.filter { $0.base != base })
      for seen in own { elsewhere[seen.run] = seen.excess(over: others) }
    }
    let healthy = observations.filter(\.isHealthy).compactMap { elsewhere[$0.run] }.sorted()
    let learned = observations.filter { $0.label == .clean }.compactMap { $0.excess(over: methods) }
    let bounds = StrideBounds(
      spacing: spacing, methods: methods, alarm: max(1, rareValue(healthy) ?? 1), healthyExcesses: healthy,
      goal: rounded(median(learned) ?? 1))
    return (bounds, elsewhere)
  }

  private static func methods(_ observations: [Observation]) -> [String: StrideBounds.Method] {
    var methods: [String: StrideBounds.Method] = [:]
    for (method, own) in Dictionary(grouping: observations, by: \.method) {
      let healthy = own.filter(\.isHealthy)
      let collapsed = own.filter { $0.label == .collapsed }
      guard healthy.count >= leastHealthyRuns else { continue }
      func bound(_ value: (Observation) -> Double?) -> StrideBounds.Bound? {
        healthy.compactMap(value).max().map { most in
          StrideBounds.Bound(healthy: rounded(most), collapsed: collapsed.compactMap(value).min().map(rounded))
        }
      }
      methods[method] = StrideBounds.Method(
        size: bound(\.size)!, shift: bound(\.shift), healthyRuns: healthy.count, collapsedRuns: collapsed.count)
    }
    return methods
  }

  /// What at most one in two hundred ascending values exceeds.
  private static func rareValue(_ values: [Double]) -> Double? {
    values.isEmpty ? nil : values[values.count - 1 - values.count / 200]
  }

  /// - Parameter rows: of the calibration half, with the signal's largest values.
  /// - Returns: nil where no run was healthy.
  package static func behaviourBound(_ signal: Signal, _ rows: [CorpusRow]) -> BehaviourBound? {
    let healthy = rows.filter(\.isHealthy).map { rounded($0.signals[signal.rawValue] ?? 0) }.sorted()
    guard let value = rareValue(healthy) else { return nil }
    let collapsed = rows.filter { $0.label == .collapsed }
    return BehaviourBound(
      value: value, healthy: healthy, misses: collapsed.count { ($0.signals[signal.rawValue] ?? 0) <= value },
      collapsedRuns: collapsed.count)
  }
}

/// To four digits, as tables have it.
private func rounded(_ value: Double) -> Double { Double(String(format: "%.3e", value))! }

// MARK: - As Swift

extension Calibration {
  /// `CalibratedBounds.swift`.
  ///
  /// - Parameter source: the file that describes the corpus.
  package static func swift(
    _ strides: [StrideBounds], _ behaviour: KeyValuePairs<String, BehaviourBound>, source: String
  ) -> String {
    var lines = [
      "// Made by `spectroscope corpus calibrate` from the calibration half of \(source).", "",
      "extension StrideBounds {",
      "  package static let calibrated: [StrideBounds] = [",
    ]
    for bounds in strides {
      lines += ["    StrideBounds(", "      spacing: \(bounds.spacing),", "      methods: ["]
      for (name, method) in bounds.methods.sorted(by: { $0.key < $1.key }) {
        lines += [
          "        \"\(name)\": Method(",
          "          size: \(text(method.size)),", "          shift: \(method.shift.map(text) ?? "nil"),",
          "          healthyRuns: \(method.healthyRuns), collapsedRuns: \(method.collapsedRuns)),",
        ]
      }
      lines +=
        ["      ],", "      alarm: \(bounds.alarm),", "      healthyExcesses: ["] + wrapped(bounds.healthyExcesses) + [
          "      ],", "      goal: \(bounds.goal)),",
        ]
    }
    lines += ["  ]", "}", "", "extension BehaviourBound {"]
    for (name, bound) in behaviour {
      lines += ["  package static let \(name) = BehaviourBound(", "    value: \(bound.value),", "    healthy: ["]
      lines +=
        wrapped(bound.healthy) + ["    ],", "    misses: \(bound.misses), collapsedRuns: \(bound.collapsedRuns))"]
    }
    return (lines + ["}", ""]).joined(separator: "\n")
  }

  private static func text(_ bound: StrideBounds.Bound) -> String {
    "Bound(healthy: \(bound.healthy), collapsed: \(bound.collapsed.map { "\($0)" } ?? "nil"))"
  }

  private static func wrapped(_ values: [Double]) -> [String] {
    stride(from: 0, to: values.count, by: 12).map { start in
      "        " + values[start..<min(start + 12, values.count)].map { "\($0)," }.joined(separator: " ")
    }
  }
}
