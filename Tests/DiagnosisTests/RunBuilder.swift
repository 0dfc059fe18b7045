import Diagnosis
import Spectra

/// A run made by hand, for a rule to look at.
struct RunBuilder {
  var modules = ["layers.0.q_proj", "layers.0.v_proj", "layers.1.q_proj", "layers.1.v_proj"]
  var steps = [5, 10, 15, 20, 25, 30]
  var method = "lora"
  var setup = RunSetup()
  var reading: [Finding] = []
  var records: [Timeline.Record] = []
  /// rows × columns of every weight.
  var shape = (rows: 64, columns: 64)
  private(set) var rows: [SpectrumRow] = []

  /// A run of LoRA at a rate of 1e-3, as calm as one can be: four modules, six checkpoints.
  init(method: String = "lora") {
    self.method = method
    setup.method = method
    setup.trainer = .own
    setup.objective = "grpo"
    setup.rank = 4
    setup.learningRate = 1e-3
  }

  /// Adds a row for every module and step.
  mutating func add(_ delta: Delta, _ values: (_ step: Int, _ module: Int) -> [Metric: Double]) {
    for step in steps {
      for (index, module) in modules.enumerated() {
        var metrics = MetricValues()
        (metrics[.rows], metrics[.columns], metrics[.rank]) = (Double(shape.rows), Double(shape.columns), 4)
        for (metric, value) in values(step, index) { metrics[metric] = value }
        rows.append(
          SpectrumRow(step: step, module: module, method: method, delta: delta, metrics: metrics, singularValues: []))
      }
    }
  }

  /// Adds rows of `init` and `pretrained` alike.
  mutating func addUpdate(_ values: (_ step: Int, _ module: Int) -> [Metric: Double]) {
    add(.initial, values)
    add(.pretrained, values)
  }

  /// Adds a column of the log, one record a step from 1.
  mutating func log(_ column: String, _ values: [Double]) {
    for (index, value) in values.enumerated() {
      if records.count <= index { records.append(Timeline.Record(step: index + 1, values: [:])) }
      if value.isFinite {
        records[index].values[column] = value
      } else {
        records[index].nonFinite.insert(column)
      }
    }
  }

  /// Adds a column of the log with a number for each module, the same at each of 30 steps.
  mutating func logModules(_ column: String, _ value: (_ step: Int) -> Double) {
    for index in 0..<30 {
      if records.count <= index { records.append(Timeline.Record(step: index + 1, values: [:])) }
      records[index].modules[column] = Dictionary(uniqueKeysWithValues: modules.map { ($0, value(index + 1)) })
    }
  }

  var evidence: RunEvidence {
    RunEvidence(
      rows: rows, reading: reading, timeline: Timeline(records), setup: setup,
      baseNorms: Dictionary(uniqueKeysWithValues: modules.map { ($0, 10.0) }))
  }

  /// What the kind with a code says of the run.
  func findings(_ code: String) -> [Finding] { Catalogue.kind(code)!.judge(evidence).findings }

  /// The collapse that weights and reward confirm, if any.
  var confirmed: [Finding] { Verdict(on: evidence).findings.filter { $0.code == "SP403" } }

  func gaps(_ code: String) -> [String] { Catalogue.kind(code)!.judge(evidence).gaps.map(\.text) }
}

/// Numbers of (−1, 1) that look like noise and are always the same: the fractional parts of multiples of the golden ratio.
func noise(_ count: Int, seed: Int = 0) -> [Double] {
  (1...count).map { (Double($0 + 1000 * seed) * 0.6180339887498949).truncatingRemainder(dividingBy: 1) * 2 - 1 }
}
