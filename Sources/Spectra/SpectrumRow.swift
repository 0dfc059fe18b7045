/// The spectrum of one update: one module, at one step, measured against one reference.
package struct SpectrumRow: Equatable, Sendable {
  package var step: Int
  /// The base model's dotted path, without `.weight`.
  package var module: String
  /// The contract's name of the method, such as `lora` or `pissa`.
  package var method: String
  package var delta: Delta
  package var metrics: MetricValues
  /// Descending; all values of a factored update, all min(rows, columns) of a dense one.
  package var singularValues: [Double]
  /// Where the energy lies over the whole spectrum of W₀; empty where that was not computed.
  package var profile: [ProfileBin]
  /// All singular values of W₀ + ΔW; empty where they were not computed. On rows of the delta `pretrained`.
  package var updatedValues: [Double]

  package init(
    step: Int, module: String, method: String, delta: Delta, metrics: MetricValues, singularValues: [Double],
    profile: [ProfileBin] = [], updatedValues: [Double] = []
  ) {
    self.step = step
    self.module = module
    self.method = method
    self.delta = delta
    self.metrics = metrics
    self.singularValues = singularValues
    self.profile = profile
    self.updatedValues = updatedValues
  }
}
