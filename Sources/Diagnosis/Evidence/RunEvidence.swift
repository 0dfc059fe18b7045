import Adapters
import Spectra

/// Everything that rules see of a run: spectra, behaviour, setup, and what was noticed while the files were read. Pure values: no
/// file, no clock, no process.
package struct RunEvidence: Sendable {
  package let rows: [SpectrumRow]
  /// What was noticed while the files were read.
  package let reading: [Finding]
  package let timeline: Timeline
  package let setup: RunSetup
  /// ‖W₀‖_F by module.
  package let baseNorms: [String: Double]
  /// Steps that have rows, ascending.
  package let checkpoints: [Int]
  /// In the order of their first row.
  package let modules: [String]
  private let byModule: [Delta: [String: [SpectrumRow]]]
  private let byStep: [Delta: [Int: [SpectrumRow]]]

  package init(
    rows: [SpectrumRow], reading: [Finding] = [], timeline: Timeline = Timeline(), setup: RunSetup = RunSetup(),
    baseNorms: [String: Double] = [:]
  ) {
    self.rows = rows
    self.reading = reading
    self.timeline = timeline
    self.setup = setup
    self.baseNorms = baseNorms
    checkpoints = Set(rows.map(\.step)).sorted()
    var seen: Set<String> = []
    modules = rows.map(\.module).filter { seen.insert($0).inserted }
    let byDelta = Dictionary(grouping: rows.sorted { $0.step < $1.step }, by: \.delta)
    byModule = byDelta.mapValues { Dictionary(grouping: $0, by: \.module) }
    byStep = byDelta.mapValues { Dictionary(grouping: $0, by: \.step) }
  }
}

// MARK: - Which rows

extension RunEvidence {
  /// The method of the run, from the setup or else from the rows.
  package var method: String {
    setup.method.isEmpty ? rows.last { $0.step > 0 }?.method ?? rows.last?.method ?? "" : setup.method
  }

  /// The update that shapes are judged by: what training did to directions. DoRA's magnitudes rescale rows of W₀, which looks
  /// perfectly aligned and means nothing.
  package var shapeDelta: Delta {
    [Delta.initialDirection, .initial, .pretrained].first { byStep[$0] != nil } ?? .initial
  }

  /// The update since the start, whatever it is made of; where the start is unknown, since pretraining.
  package var sizeDelta: Delta { [Delta.initial, .pretrained].first { byStep[$0] != nil } ?? .initial }

  package func rows(_ delta: Delta, of module: String) -> [SpectrumRow] { byModule[delta]?[module] ?? [] }

  package func rows(_ delta: Delta, at step: Int) -> [SpectrumRow] { byStep[delta]?[step] ?? [] }
}

// MARK: - Series

extension RunEvidence {
  package func series(_ metric: Metric, _ delta: Delta, of module: String) -> Series {
    Series(
      rows(delta, of: module).compactMap { row in
        row.metrics[metric].map { Series.Point(step: row.step, value: $0) }
      })
  }

  /// The median over modules at each step.
  package func median(_ metric: Metric, _ delta: Delta) -> Series {
    Series(
      checkpoints.compactMap { step in
        Diagnosis.median(rows(delta, at: step).compactMap { $0.metrics[metric] })
          .map { Series.Point(step: step, value: $0) }
      })
  }

  /// A quantity that is relative to ‖W₀‖_F, of all modules together: √Σ(x·‖W₀‖)² ÷ √Σ‖W₀‖². At a step the modules that have it count.
  package func total(_ metric: Metric, _ delta: Delta) -> Series {
    Series(
      checkpoints.compactMap { step in
        total(metric, rows(delta, at: step)).map { Series.Point(step: step, value: $0) }
      })
  }

  private func total(_ metric: Metric, _ rows: [SpectrumRow]) -> Double? {
    var (sum, norms) = (0.0, 0.0)
    for row in rows {
      guard let value = row.metrics[metric], let norm = baseNorms[row.module], norm > 0 else { continue }
      sum += value * value * norm * norm
      norms += norm * norm
    }
    return norms > 0 ? (sum / norms).squareRoot() : nil
  }

  /// The velocity of the update, ‖δW‖_F/‖W₀‖_F a step: what training logged at every step, or else from one checkpoint to the next.
  package var updateVelocity: Series { velocity("update_velocity", .updateVelocity) }

  /// How far singular values move in a step, relative to ‖W₀‖_F, likewise.
  package var shiftVelocity: Series { velocity("shift_velocity", .shiftVelocity) }

  private func velocity(_ column: String, _ metric: Metric) -> Series {
    let logged = timeline[column]
    return logged.isEmpty ? total(metric, .previous) : logged
  }

  /// The steps between two points of the velocity: 1 where training logged it. Nil where there is none.
  package var velocitySpacing: Int? {
    if !timeline["update_velocity"].isEmpty { return 1 }
    let steps = total(.updateVelocity, .previous).points.map(\.step)
    guard let first = steps.first else { return nil }
    return Series(steps.map { Series.Point(step: $0, value: 0) }).spacing ?? max(1, first)
  }

  /// The last checkpoint before `step`.
  package func checkpoint(before step: Int) -> Int? { checkpoints.last { $0 < step } }

  /// The largest learning rate of the `width` steps up to `step`, from the log or, where it has none, the setup's. A record that was written
  /// now and then holds until the next one.
  func largestRate(upTo step: Int, over width: Int) -> Double? {
    let logged = timeline["learning_rate"].points
    guard !logged.isEmpty else { return setup.learningRate }
    let end = logged.partitioningIndex { $0.step > step }
    let first = max(0, logged.partitioningIndex { $0.step > step - width } - 1)
    return logged[first..<max(end, first + 1)].map(\.value).max()
  }

  /// The learning rate that a stride was made at, where it is known: of our own trainer the largest of its steps; others log a step's rate behind it,
  /// when the schedule may have gone on, so that the record before counts as well.
  func learningRate(of stride: Stride) -> Double? {
    let steps = stride.step - stride.stretch + 1...stride.step
    let own = setup.trainer == .own ? timeline["learning_rate"].points.filter { steps.contains($0.step) } : []
    return own.map(\.value).max() ?? largestRate(upTo: stride.step, over: stride.stretch)
  }

  /// True for reinforcement learning, as far as setup or log tell.
  package var isReinforced: Bool {
    setup.objective.map { $0 != "sft" } ?? !timeline["reward"].isEmpty
  }

  /// True for supervised learning, likewise.
  package var isSupervised: Bool {
    setup.objective.map { $0 == "sft" } ?? (timeline["reward"].isEmpty && !timeline["loss"].isEmpty)
  }

  /// The smaller side of the largest weight: from the spectra, or else from the setup.
  package var largestOrder: Int? { orderOfRows ?? setup.largestOrder }

  private var orderOfRows: Int? {
    rows.compactMap { row in
      row.metrics[.rows].flatMap { rows in row.metrics[.columns].map { Int(min(rows, $0)) } }
    }.max()
  }
}
