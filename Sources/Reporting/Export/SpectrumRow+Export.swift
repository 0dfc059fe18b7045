import Spectra

extension SpectrumRow {
  /// The value of a metric; nil also where it is infinite, which is missing in every format.
  func finite(_ metric: Metric) -> Double? { metrics[metric].flatMap { $0.isFinite ? $0 : nil } }

  /// The singular values that arithmetic can tell from zero, as far as the numerical rank is known; those above zero else.
  var significantValues: [Double] {
    let rank = metrics[.numericalRank].flatMap(Int.init(exactly:)) ?? .max
    return singularValues.prefix(max(0, rank)).filter { $0 > 0 && $0.isFinite }
  }
}
