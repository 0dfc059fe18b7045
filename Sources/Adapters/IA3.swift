import LinearAlgebra
import Weights

/// IA3 (Liu et al. 2022, section 3.3) in PEFT's form: gains l on what a layer gives, W_eff = diag(l)·W₀, or on what a feed-forward
/// layer is given, W_eff = W₀·diag(l); l = 1 at the start. What l does to a bias is left out.
package enum StoredIA3: StoredMethod {
  package static let type = "IA3"
  package static let method = AdapterMethod.ia3
  package static let parts: Set = ["ia3_l"]
  package static let fields = ConfigurationFields(rank: nil, alpha: nil, start: "init_ia3_weights", hasPatterns: false)

  /// PEFT stores the gains of outputs as [rows, 1] and those of inputs as [1, columns].
  package static func module(_ found: FoundTensors) throws(UnfitModule) -> AdapterFolder.Module {
    let shape = try found.shape("ia3_l")
    guard shape.contains(1), shape.allSatisfy({ $0 > 0 }) else {
      throw UnfitModule("expected ia3_l with one row or one column, found \(shape)")
    }
    let scalesRows = shape[1] == 1
    return found.module(Self.self, rows: scalesRows ? shape[0] : nil, columns: scalesRows ? nil : shape[1])
  }

  package static func weight(
    of module: AdapterFolder.Module, at match: ModuleMatcher.Match, in folder: AdapterFolder
  ) throws(FileError) -> any StoredWeight {
    let shape = try folder.weights.entry(module.tensors["ia3_l"]!).shape
    return TrainedGains(
      values: try folder.values("ia3_l", of: module), scalesRows: shape[1] == 1, format: module.format)
  }

  package static func isUntrained(
    _ module: AdapterFolder.Module, in folder: AdapterFolder
  ) throws(FileError) -> Bool {
    try folder.values("ia3_l", of: module).allSatisfy { $0 == 1 }
  }
}

/// Trained gains on the rows or the columns of a frozen weight.
struct TrainedGains: StoredWeight {
  var values: [Double]
  var scalesRows: Bool
  var format: FloatFormat

  func change(from earlier: (any StoredWeight)?, over base: any PretrainedWeight) throws -> ModuleUpdate? {
    let before = earlier as? TrainedGains
    guard earlier == nil || before?.values.count == values.count && before?.scalesRows == scalesRows else { return nil }
    let weight = try base.matrix()
    let start = before?.values ?? Array(repeating: 1, count: values.count)
    let norm = try scaled(weight, by: values).frobeniusNorm()
    var roundings = [format.rmsRounding * norm]
    if let before { roundings.append(before.format.rmsRounding * (try scaled(weight, by: start).frobeniusNorm())) }
    return ModuleUpdate(
      content: .dense(scaled(weight, by: zip(values, start).map { $0 - $1 }), laterNorm: norm),
      roundingNorm: euclideanNorm(roundings), reach: scalesRows ? .rowScaling : .columnScaling)
  }

  private func scaled(_ weight: Matrix<Double>, by gains: [Double]) -> Matrix<Double> {
    scalesRows ? weight.scalingRows(by: gains) : weight.scalingColumns(by: gains)
  }
}
