import Weights

/// A layer of a base before there is an adapter on it: what the law of step sizes needs to know.
package struct PlannedLayer: Equatable, Sendable {
  /// The base model's dotted path, without `.weight`.
  package var path: String
  /// Output × input.
  package var rows: Int
  package var columns: Int
  /// ‖W₀‖_F of the weight that the adapter changes; behind a tuned norm, times the norm's gains.
  package var norm: Double
  /// ‖W‖_F of the same weight without a norm's gains; `norm` where there is no norm.
  package var normWithoutGains: Double
  /// Of W₀, descending; empty where nobody asked for them.
  package var singularValues: [Double]
  /// The columns of the widest layer that is adapted, which VeRA's shared projections are drawn for.
  package var widestColumns: Int

  package init(
    path: String, rows: Int, columns: Int, norm: Double, normWithoutGains: Double? = nil,
    singularValues: [Double] = [], widestColumns: Int? = nil
  ) {
    self.path = path
    self.rows = rows
    self.columns = columns
    self.norm = norm
    self.normWithoutGains = normWithoutGains ?? norm
    self.singularValues = singularValues
    self.widestColumns = widestColumns ?? columns
  }

  /// The path below the numbered block that the layer is in, such as `self_attn.q_proj`: layers of one kind share it.
  package var kind: String {
    let parts = path.split(separator: ".")
    let below = parts.lastIndex { Int($0) != nil }.map { parts.index(after: $0) } ?? parts.startIndex
    return parts[below...].joined(separator: ".")
  }
}

// MARK: - In a base

extension ModuleMatcher {
  /// The weight of a linear layer that the base itself names.
  ///
  /// - Parameter shape: as the base stores it.
  package func linearWeight(of path: String, shape: [Int]) throws(Mismatch) -> Match {
    let module = AdapterFolder.Module(
      path: path, stored: StoredForm(StoredWhole.self), tensors: [:], rows: shape.first, columns: shape.last,
      format: .float32)
    return try match(module, isFanInFanOut: false)
  }

  /// The weights behind a norm that the base itself names.
  package func weights(behindNorm path: String, size: Int) throws(Mismatch) -> [Match] {
    try consumers(ofNorm: path, size: size)
  }
}
