import Diagnosis
import Foundation
import OrderedCollections

/// The page that says how good the verdict is: Markdown, made of the two tables of runs alone.
package struct AssessmentPage: Sendable {
  private let calibration: [CorpusRow]
  private let test: [CorpusRow]
  /// Those that no earlier version was scored on.
  private let fresh: [CorpusRow]
  private let gated: [GatedRun]
  private let version: Int
  /// Steps from one checkpoint to the next.
  private let spacings: [Int]

  /// - Parameter earlier: the tables of earlier versions of the detectors.
  package init(
    calibration: CorpusTable, test: CorpusTable, earlier: [CorpusTable], gated: [GatedRun], version: Int,
    spacings: [Int]
  ) {
    (self.calibration, self.test) = (calibration.rows, test.rows)
    let seen = Set(earlier.flatMap(\.rows).map(\.run))
    fresh = test.rows.filter { !seen.contains($0.run) }
    (self.gated, self.version, self.spacings) = (gated, version, spacings)
  }

  private var watches: [Replay.Watch] { [.inProcess] + spacings.map(Replay.Watch.files) }
  private var healthy: [CorpusRow] { test.filter { $0.label == .clean } }
  private var damaged: [CorpusRow] { test.filter { $0.label == .damaged } }
  private var collapsed: [CorpusRow] { test.filter { $0.label == .collapsed } }
  /// Collapses that were not over at once.
  private var slow: [CorpusRow] { collapsed.filter { $0.course.onset! >= 4 } }

  /// The parts by the names of the marks that they stand between.
  package var parts: KeyValuePairs<String, String> {
    [
      "corpus": corpus, "targets": targets, "verdict": verdicts, "signals": baselines, "rules": rules, "areas": areas,
      "p-values": pValues, "causes": causes, "remedies": remedies,
      "gates": gates,
    ]
  }

  /// A text with each part between its marks renewed.
  ///
  /// - Returns: nil where a mark is missing.
  package func renewed(_ text: String) -> String? {
    var text = text
    for (name, part) in parts {
      guard let start = text.range(of: "<!-- \(name) -->\n"),
        let end = text.range(of: "<!-- end -->", range: start.upperBound..<text.endIndex)
      else { return nil }
      text.replaceSubrange(start.upperBound..<end.lowerBound, with: part)
    }
    return text
  }

  /// The curves of the main signals.
  package var figure: ROCFigure {
    func panel(_ title: String, _ collapsed: [CorpusRow], _ others: [CorpusRow]) -> ROCFigure.Panel {
      ROCFigure.Panel(
        title: title,
        curves: Self.drawn.map { signal, name in (name, Self.roc(signal, collapsed, others)) }
          + [("joint", Self.jointROC(collapsed, others))])
    }
    return ROCFigure([
      panel("collapsed against clean", collapsed, healthy),
      panel("collapsed, onset ≥ 4, against damaged", slow, damaged),
    ])
  }

  private static let drawn: [(Signal, String)] = [
    (.strideExcess, "weights: stride ÷ bound"), (.shiftVelocity, "shift velocity"),
    (.klIncrement, "KL increment"), (.klLevel, "KL level"), (.rewardDrop, "reward drop"),
    (.entropyRise, "entropy rise"),
  ]

  private static func roc(_ signal: Signal, _ positives: [CorpusRow], _ negatives: [CorpusRow]) -> ROC {
    ROC(
      positives: positives.map { $0.signals[signal.rawValue] }, negatives: negatives.map { $0.signals[signal.rawValue] }
    )
  }
}

// MARK: - The joint verdict as a number

extension AssessmentPage {
  /// The larger of what the alerting rules of weights and of behaviour look at, each ÷ where it alerts.
  private static func joint(_ row: CorpusRow) -> Double? {
    let weights = StrideBounds.at(spacing: 1).flatMap { bounds in
      row.signals[Signal.strideExcess.rawValue].map { $0 / bounds.alarm }
    }
    let behaviour = row.signals[Signal.klIncrement.rawValue].map { $0 / BehaviourBound.klVelocity.value }
    let reward = row.signals[Signal.rewardFall.rawValue].map { $0 / BehaviourBound.rewardFall.value }
    return [weights, behaviour, reward].compactMap(\.self).max()
  }

  private static func jointROC(_ positives: [CorpusRow], _ negatives: [CorpusRow]) -> ROC {
    ROC(positives: positives.map(joint), negatives: negatives.map(joint))
  }
}

// MARK: - Tables

extension AssessmentPage {
  private var corpus: String {
    let bases = OrderedDictionary(grouping: calibration + test) { "\($0.half.rawValue)|\($0.base)|\($0.task)" }
    let rows = bases.map { key, runs in
      key.split(separator: "|").map(String.init) + ["\(runs.count)"]
        + RunLabel.allCases.map { label in "\(runs.count { $0.label == label })" }
        + [RunCourse.Shape.riseThenDecay, .dipAndRecover].map { shape in "\(runs.count { $0.course.shape == shape })" }
    }
    func total(_ name: String, _ runs: [CorpusRow]) -> [String] {
      [name, "all", "", "\(runs.count)"] + RunLabel.allCases.map { label in "\(runs.count { $0.label == label })" }
        + [RunCourse.Shape.riseThenDecay, .dipAndRecover].map { shape in "\(runs.count { $0.course.shape == shape })" }
    }
    return Self.table(
      ["half", "base", "task", "runs"] + RunLabel.allCases.map(\.rawValue) + ["rise then decay", "dip and recover"],
      rows + [total("calibration", calibration), total("test", test)])
      + "\nScored with version \(version) of the detectors.\n"
  }

  private static let errorColumns = [
    "clean alarmed", "unlearned alarmed", "damaged alarmed", "collapses in time", "of those with onset ≥ 4",
    "median lead",
    "lead of 9 in 10",
  ]

  private func cells(_ alarm: String, _ watch: Replay.Watch) -> [String] {
    let count = AlarmCount(alarm, watch, of: test)
    return [
      Self.text(count.clean), Self.text(count.unlearned), Self.text(count.damaged), Self.text(count.collapsed),
      Self.text(count.slow), count.medianLead.map { $0.brief } ?? "–", count.lowLead.map(String.init) ?? "–",
    ]
  }

  private static func words(_ watch: Replay.Watch) -> String {
    switch watch {
    case .inProcess: "in process"
    case .files(let spacing): "files, every \(spacing)"
    }
  }

  private var verdicts: String {
    let rows = Replay.Sight.allCases.flatMap { sight in
      watches.map { watch in
        [sight.rawValue, Self.words(watch)] + cells("\(sight.rawValue)_\(watch.name)", watch)
      }
    }
    return Self.table(["verdict from", "watched"] + Self.errorColumns, rows)
  }

  private var baselines: String {
    let signals = Signal.behaviour + [.updateVelocity, .shiftVelocity]
    let thresholds = SignalThresholds(calibration).values
    let rows = signals.flatMap { signal in
      watches.map { watch in
        [
          signal.rawValue, thresholds.first { $0.signal == signal }?.threshold.brief ?? "–", Self.words(watch),
        ] + cells("\(signal.rawValue)_\(watch.name)", watch)
      }
    }
    return Self.table(["signal", "threshold", "watched"] + Self.errorColumns, rows)
  }

  private var rules: String {
    let codes = Set(test.flatMap { $0.alarms.keys.filter { $0.hasPrefix("SP") } }.map { String($0.prefix(5)) }).sorted()
    let rows = codes.flatMap { code in
      [Replay.Watch.inProcess, .files(spacing: 1)].map { watch in
        ["\(code) \(Catalogue.kind(code)?.page.name ?? "")", Self.words(watch)] + cells("\(code)_\(watch.name)", watch)
      }
    }
    return Self.table(["rule", "watched"] + Self.errorColumns, rows)
  }

  private var areas: String {
    let pairs = [(collapsed, healthy), (collapsed, damaged), (slow, healthy), (slow, damaged)]
    func areas(_ name: String, _ roc: ([CorpusRow], [CorpusRow]) -> ROC) -> [String] {
      [name]
        + pairs.map { positives, negatives in
          let roc = roc(positives, negatives)
          guard let area = roc.area, let interval = roc.interval else { return "–" }
          return String(format: "%.3f (%.3f to %.3f)", area, interval.lowerBound, interval.upperBound)
        }
    }
    let rows =
      Signal.allCases.map { signal in areas(signal.rawValue) { Self.roc(signal, $0, $1) } }
      + [areas("joint") { Self.jointROC($0, $1) }]
    return Self.table(
      [
        "signal, its largest value while an alarm still counts", "collapsed against clean", "collapsed against damaged",
        "onset ≥ 4 against clean", "onset ≥ 4 against damaged",
      ], rows)
  }

  private var pValues: String {
    let strides = StrideBounds.at(spacing: 1)
    let sources: [(String, (CorpusRow) -> Double?)] = [
      ("strides, every step", { row in row.signals[Signal.strideExcess.rawValue].flatMap { strides?.pValue($0) } }),
      ("KL velocity", { Self.p($0, .klIncrement, .klVelocity) }),
      ("KL level", { Self.p($0, .klLevel, .klLevel) }),
      ("fall of the reward", { Self.p($0, .rewardFall, .rewardFall) }),
    ]
    let rows = sources.flatMap { name, p in
      [0.1, 0.01].map { level -> [String] in
        let values = healthy.compactMap(p)
        let below = values.count { $0 < level }
        let usual = Proportion.usualCounts(of: values.count, at: level)
        return [
          name, "\(level)", "\(below) of \(values.count)", "\(usual.lowerBound) to \(usual.upperBound)",
          usual.contains(below)
            ? "yes" : below < usual.lowerBound ? "no: too few, the p-value is cautious" : "no: too many",
        ]
      }
    }
    return Self.table(["p-value of", "α", "clean test runs with p < α", "binomial interval", "inside"], rows)
  }

  private static func p(_ row: CorpusRow, _ signal: Signal, _ bound: BehaviourBound) -> Double? {
    row.signals[signal.rawValue].map { HealthyRuns.pValue(of: $0, among: bound.healthy) }
  }

  private var causes: String {
    let matrix = CauseMatrix(test)
    let named: [Cause?] = [.stepSize, .direction, .rank, .loadMismatch, nil]
    let rows = [Cause.stepSize, .direction].map { cause in
      [cause.rawValue] + named.map { "\(matrix.count(cause, named: $0))" } + ["\(matrix.total(cause))"]
    }
    return Self.table(["what the controls show ↓ named →"] + named.map { $0?.rawValue ?? "none" } + ["runs"], rows)
  }

  private var remedies: String {
    let rows = CorpusRow.Repeat.allCases.map { kind -> [String] in
      func share(_ labels: [RunLabel]) -> String {
        Self.text(
          Proportion(
            collapsed.count { row in row.repeats[kind].map { labels.contains($0.label) } ?? false }, of: collapsed.count
          ))
      }
      return [kind == .remedy ? "the rate that the remedy names" : "a third of the rate"]
        + [RunLabel.clean, .damaged, .collapsed, .unlearned].map { share([$0]) }
    }
    return Self.table(["repeated at", "clean", "damaged", "collapsed", "unlearned"], rows)
  }
}

// MARK: - Gates

extension AssessmentPage {
  private typealias Ending = (accuracy: Double, label: RunLabel, interventions: Int)

  private var gates: String {
    let names = Dictionary(uniqueKeysWithValues: test.map { ($0.run, $0) })
    func endings(_ rollback: Rollback, _ label: RunLabel) -> [Ending] {
      gated.filter { $0.rollback == rollback && names[$0.run]?.label == label }
        .map { ($0.accuracy, $0.label, $0.interventions) }
    }
    func ungated(_ rows: [CorpusRow]) -> [Ending] { rows.map { ($0.course.end, $0.label, 0) } }
    return Self.table(
      [
        "gate", "collapsed runs: accuracy at the end", "clean", "damaged", "collapsed", "unlearned",
        "clean runs: acted on", "accuracy at the end", "clean",
      ],
      [Self.gateRow("none", ungated(collapsed), ungated(healthy))]
        + Rollback.allCases.filter { rollback in gated.contains { $0.rollback == rollback } }.map {
          Self.gateRow($0.rawValue, endings($0, .collapsed), endings($0, .clean))
        })
  }

  private static func gateRow(_ name: String, _ collapsed: [Ending], _ clean: [Ending]) -> [String] {
    func count(_ endings: [Ending], _ label: RunLabel) -> String {
      "\(endings.count { $0.label == label }) of \(endings.count)"
    }
    return [name, mean(collapsed)] + [RunLabel.clean, .damaged, .collapsed, .unlearned].map { count(collapsed, $0) }
      + [text(Proportion(clean.count { $0.interventions > 0 }, of: clean.count)), mean(clean), count(clean, .clean)]
  }

  /// With the standard error of runs.
  private static func mean(_ endings: [Ending]) -> String {
    let values = endings.map(\.accuracy)
    guard values.count > 1 else { return "–" }
    let mean = values.reduce(0, +) / Double(values.count)
    let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count - 1)
    return String(format: "%.3f ± %.3f", mean, (variance / Double(values.count)).squareRoot())
  }
}

// MARK: - Targets

extension AssessmentPage {
  private var targets: String {
    let process = AlarmCount("joint_process", .inProcess, of: test)
    let newProcess = AlarmCount("joint_process", .inProcess, of: fresh)
    let files = AlarmCount("joint_files1", .files(spacing: 1), of: test)
    let newFiles = AlarmCount("joint_files1", .files(spacing: 1), of: fresh)
    func row(_ target: String, _ found: String, _ new: String, _ isReached: Bool) -> [String] {
      [target, found, new, isReached ? "yes" : "no"]
    }
    func shares(
      _ target: String, _ all: Proportion, _ new: Proportion, _ isReached: (Double) -> Bool
    ) -> [String] {
      row(target, Self.text(all), Self.text(new), all.share.map(isReached) ?? false)
    }
    return Self.table(
      ["target", "found", "of these, runs that no earlier version was scored on", "reached"],
      [
        shares("at most 1 in 100 clean runs alarmed, in process", process.clean, newProcess.clean) { $0 <= 0.01 },
        shares("the same, checkpoints at every step", files.clean, newFiles.clean) { $0 <= 0.01 },
        shares("0.95 of collapses alarmed in time, in process", process.collapsed, newProcess.collapsed) { $0 >= 0.95 },
        shares("the same, checkpoints at every step", files.collapsed, newFiles.collapsed) { $0 >= 0.95 },
        shares("the same of those with an onset of 4 or later", files.slow, newFiles.slow) { $0 >= 0.95 },
        row(
          "median lead of 4 steps where the onset is 4 or later", process.medianLead.map(\.brief) ?? "–",
          newProcess.medianLead.map(\.brief) ?? "–", (process.medianLead ?? 0) >= 4),
      ] + comparisons.map { row($0.target, $0.found, "", $0.isReached) })
  }

  private var comparisons: [Outcome] {
    [leadOverRewardDrop]
      + [(collapsed, "collapsed"), (slow, "collapsed with an onset of 4 or later")].flatMap { positives, name in
        [weightsAlone(positives, name), nearThreshold(positives, name)]
      }
  }

  private typealias Outcome = (target: String, found: String, isReached: Bool)

  /// Of runs that both alarm of in time: leads of different runs do not compare.
  private var leadOverRewardDrop: Outcome {
    let advances = slow.compactMap { row -> Double? in
      guard let own = row.alarms["joint_process"], let drop = row.alarms["reward_drop_process"],
        max(own, drop) < row.course.onset!
      else { return nil }
      return Double(drop - own)
    }
    let found = median(advances)
    return (
      "2 steps more than the reward-drop alarm, in the median of runs that both alarm of in time",
      found.map { "\($0.brief) (\(advances.count) runs)" } ?? "–", (found ?? 0) >= 2
    )
  }

  private func weightsAlone(_ positives: [CorpusRow], _ name: String) -> Outcome {
    let areas = Signal.behaviour.map { ($0, Self.roc($0, positives, healthy).area ?? 0) }
    let best = areas.max { $0.1 < $1.1 }!
    let weights = Self.roc(.strideExcess, positives, healthy).area ?? 0
    return (
      "weights alone within 0.02 of the best behavioural signal's area, \(name) against clean",
      String(format: "%.3f against %.3f of ", weights, best.1) + best.0.rawValue, weights >= best.1 - 0.02
    )
  }

  private func nearThreshold(_ positives: [CorpusRow], _ name: String) -> Outcome {
    let singles = Signal.allCases.map { ($0, Self.roc($0, positives, damaged)) }
    let best = singles.max { ($0.1.area ?? 0) < ($1.1.area ?? 0) }!
    let excess = Self.jointROC(positives, damaged).excess(over: best.1)
    return (
      "near the threshold, \(positives.count) \(name) against \(damaged.count) damaged: joint 5 points above the best single signal",
      excess.map {
        String(
          format: "%+.1f points (%+.1f to %+.1f) over ", 100 * $0.difference, 100 * $0.interval.lowerBound,
          100 * $0.interval.upperBound) + best.0.rawValue
      } ?? "–", excess.map { $0.difference >= 0.05 && $0.interval.lowerBound > 0 } ?? false
    )
  }
}

// MARK: - Text

extension AssessmentPage {
  private static func text(_ proportion: Proportion) -> String {
    guard let interval = proportion.interval else { return "–" }
    return "\(proportion.count) of \(proportion.total) "
      + String(format: "(%.3f to %.3f)", interval.lowerBound, interval.upperBound)
  }

  private static func table(_ header: [String], _ rows: [[String]]) -> String {
    ([header, header.map { _ in "---" }] + rows).map { "| " + $0.joined(separator: " | ") + " |\n" }.joined()
  }
}
