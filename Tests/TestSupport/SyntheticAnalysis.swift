import Diagnosis
import Foundation
import RunStore
import Spectra

/// An analysis as large as that of a real model, from formulas: every metric at every checkpoint, spectra and profiles.
package struct SyntheticAnalysis {
  package var layers = 28
  package var checkpoints = 20
  package var values = 32
  package var projections = [
    "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj", "mlp.gate_proj", "mlp.up_proj",
    "mlp.down_proj",
  ]

  package init(checkpoints: Int = 20) { self.checkpoints = checkpoints }

  package var modules: [String] {
    (0..<layers).flatMap { layer in projections.map { "model.layers.\(layer).\($0)" } }
  }

  package var analysis: Analysis {
    let rows = (1...checkpoints).flatMap { checkpoint in
      modules.enumerated().flatMap { index, module in
        [Delta.initial, .pretrained, .previous].map { row(10 * checkpoint, module, index, $0) }
      }
    }
    var setup = RunSetup()
    (setup.method, setup.rank, setup.alpha, setup.learningRate) = ("pissa", 16, 32, 1e-5)
    let origin = AnalysisOrigin(
      source: "runs/large", base: "models/large", createdBy: "test", depth: "full",
      coverage: "\(modules.count)/\(modules.count) modules")
    return Analysis(
      origin: origin, rows: rows, setup: setup,
      baseNorms: Dictionary(uniqueKeysWithValues: modules.map { ($0, 40.0) }), training: records)
  }

  private func row(_ step: Int, _ module: String, _ index: Int, _ delta: Delta) -> SpectrumRow {
    var metrics = MetricValues()
    for (place, metric) in Metric.allCases.enumerated() {
      metrics[metric] = noise(step, index, place) * pow(10, Double(place % 5) - 3)
    }
    (metrics[.rows], metrics[.columns], metrics[.rank], metrics[.k]) = (1536, 8960, 16, 16)
    (metrics[.numericalRank], metrics[.roundingFloor]) = (Double(values), 1e-7)
    let spectrum = (0..<values).map { noise(step, index, $0) * exp(-Double($0) / 8) * Double(step) / 100 }
    return SpectrumRow(
      step: step, module: module, method: "pissa", delta: delta, metrics: metrics,
      singularValues: spectrum.sorted(by: >), profile: delta == .initial ? profile(step, index) : [])
  }

  private func profile(_ step: Int, _ index: Int) -> [ProfileBin] {
    Side.allCases.flatMap { side in
      (0...ProfileBin.count).map { bin in
        ProfileBin(
          side: side, bin: bin, components: bin < 10 ? bin * 153...bin * 153 + 152 : nil,
          share: noise(step, index, bin) / 11, null: 1 / 11)
      }
    }
  }

  private var records: TrainingRecords {
    var text = ""
    for step in 1...(10 * checkpoints) {
      let columns = ["reward", "entropy", "kl", "grad_norm", "loss", "completions_mean_length", "learning_rate"]
      let members = columns.enumerated().map { "\"\($1)\": \(noise(step, $0, 3))" }
      text += "{\"step\": \(step), \(members.joined(separator: ", "))}\n"
    }
    let folder = try! TemporaryFolder()
    return try! TrainingRecords(path: folder.write("training.jsonl", text))
  }

  /// From ½ to 1½, a fixed number for each place, which no packing can shorten.
  private func noise(_ a: Int, _ b: Int, _ c: Int) -> Double {
    let x = sin(Double(a) * 12.9898 + Double(b) * 78.233 + Double(c) * 37.719) * 43758.5453
    return 0.5 + x - x.rounded(.down)
  }
}
